"""The ledger: what was run, what it cost, and what must outlive the exporter's own process.

`Store` is the seam; `sqlite` keeps it in a file or in memory, `redis` where several exporters share
it. `BufferedStore` is what the daemon's
loop uses: it goes on in memory while the file cannot be written.
"""
