"""How many clients with real media the SFU carries before a target breaks: its knee.

    spec       configuration, verdict and metrics of a ramp
    families   its metrics
    figures    what is kept and sent of a ramp
    measure    the ramp of one host, tier by tier
    rooms      rooms of the clients: created, and always deleted
    processes  the client processes, as controlled by the prober
    worker     one client process: it takes orders on stdin, and exits when stdin ends
    messages   the orders and the answers
    clients    the clients of one room in a client process, and the loss of their audio
    tier       one tier in a client process: pings, statistics, the load of the process
    summary    the figures of one tier
    judge      whether a tier held, whether the prober was the limit, and the knee

Everything but `clients`, `tier` and `worker` runs without the SDK.
"""
