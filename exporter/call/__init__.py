"""Placing one call and timing what is heard in it.

    clip            what the caller says, and where its speech begins and ends
    voice           audio out: a stream without gaps whose every sample has a known time
    microphone      the same on a track of the SDK
    hearing         audio in: loudness by window
    ear             the same from a track of the SDK
    sample_clock    when every sample of it was delivered
    levels, onset   when sound begins, above the noise, and not for a click
    session_events  what the agent itself reports about its turns
    turn_report     its figures of one turn, and what they leave of the latency that was heard
    rtp             what the receiver of a track has counted
    lag             how late our own event loop is
    caller          a participant: connect, publish, meet the agent, leave
    line            what of a caller a conversation needs: from there on no SDK
    turns           greeting, utterance, reply
    echo            the other side of a calibration: replies after a delay known exactly

Clock: `time.monotonic` of this process, in seconds. Audio: 48 kHz, mono, 16 bit.
"""
