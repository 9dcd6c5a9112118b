"""The kit on the real-time SDK: taking part in a room, and timing what is heard and sent there.

    connection      how each of them enters a room and leaves it
    caller          a synthetic caller: connect, publish, meet the agent, leave
    client          a participant that measures the SFU: connect, publish, statistics, leave
    pair            a room with a sender and a receiver
    clip            what the caller says, and where its speech begins and ends
    voice           audio out: a stream without gaps whose every sample has a known time
    hearing         audio in: loudness by window
    tracks          both of them on tracks of the SDK
    sample_clock    when every sample that was heard was delivered
    levels, onset   when sound begins, above the noise, and not for a click
    sound           how a reply sounds
    mos             and what listeners would say of it
    line            what a conversation needs of a caller: from there on no SDK
    session_events  what the agent itself reports about its turns
    agent_errors    and about its errors, in words
    noise           quiet noise as real Opus tracks
    signalling      the first phase of a connection, by itself
    pings           data messages from one participant to another: one round trip on one clock
    stats           WebRTC's statistics as values of our own
    loss            how much of what was sent was lost, up and down apart
    gaps            how long no media came, and what became of connections that were lost
    relay           a TURN server of our own, by which the line of a call is made worse
    lag             how late our own event loop is
    tasks           what ends a call when a task of it dies

Clock: `time.monotonic` of this process, in seconds, except for WebRTC's statistics: these carry
the wall clock of this same host, and are only compared with each other. Audio: 48 kHz, mono, 16
bit.
"""
