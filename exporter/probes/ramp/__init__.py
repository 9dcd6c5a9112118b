"""How many clients with real media the SFU carries before a target breaks: its knee.

    spec      what is configured, and how a ramp is judged
    measure   the ramp of one host, tier by tier
    rooms     which client meets in which room; the rooms are made, and deleted whatever happens
    crew      the processes that hold the clients, from the side that gives the orders
    worker    one of these processes: it takes orders on stdin, and leaves when stdin ends
    messages  the orders and the answers
    cell      one room in such a process, and how much of its audio did not come
    tier      one tier in such a process: pings, statistics, the process's own load
    summary   one tier in figures
    judge     whether a tier held, whether the prober was the limit, and the knee

Everything but `cell`, `tier` and `worker` runs without the SDK.
"""
