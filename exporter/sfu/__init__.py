"""Measuring the way between this host and the SFU, with participants of our own.

    client      one participant: connect, publish, statistics, leave
    noise       what it publishes: quiet noise as real Opus tracks
    signalling  the first phase of a connection, by itself
    pings       data messages from one participant to another: one round trip on one clock
    stats       WebRTC's statistics as values of our own
    loss        how much of what was sent was lost, up and down apart
    pair        a room with a sender and a receiver
    baseline    one measurement of all of it
    reach       which ways are open: UDP, TCP and TURN, each tried on purpose; certificates
    gaps        how long no media came, from what the receiver has counted
    reconnect   connections broken on purpose, until media flows again

Clock: `time.monotonic` of this process, in seconds, except for the statistics: these carry the
wall clock of this same host, and are only compared with each other.
"""
