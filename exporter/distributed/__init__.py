"""One ramp from several hosts at once: a coordinator, and a prober at each vantage.

    messages     what they say to each other: HTTP, JSON
    clock        the offset between two monotonic clocks, from round trips
    session      the coordinator's mind: who is there, which step is next, who is lost
    combine      the tiers of several vantages as one
    api          the session as an HTTP API
    coordinator  serve it, until the ramp is over
    prober       one vantage: dials out only, so that it works behind NAT
    config       where to listen, the token, TLS

Every vantage fills rooms of its own, and the SFU sees the sum of them. Nobody's wall clock counts.
"""
