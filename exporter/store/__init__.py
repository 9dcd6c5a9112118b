"""The ledger: what was run, what it cost, and what must outlive the exporter's own process.

`Store` is the seam: `sqlite` keeps it in a file, `memory` in the process. `keeper` is its face in
the daemon's loop, and goes on in memory while the file cannot be written.
"""
