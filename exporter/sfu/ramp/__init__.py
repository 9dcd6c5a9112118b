"""How many clients with real media the SFU carries before a target breaks: its knee.

    layout    how many clients meet in which room: pairs, as in a call with an agent
    media     how much of the audio did not come, of what was sent
    cell      one such room, in a process that has the SDK
    tier      one tier in that process: pings, statistics, the process's own load
    worker    that process: it takes orders on stdin, and leaves when stdin ends
    messages  the orders and the answers
    crew      all these processes, from the side that gives the orders
    rooms     the rooms of one ramp: made, and deleted whatever happens
    summary   one tier in figures
    targets   what a tier must hold
    judge     whether a tier held, and whether the prober was the limit
    knee      the last tier that held, or why there is none
    climb     the ramp of one host, tier by tier

Everything but `cell`, `tier` and `worker` runs without the SDK.
"""
