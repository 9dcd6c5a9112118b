"""Scenarios: variants of a target, by what is said and done in the call.

    config     what is configured of one, and the built-in ones
    variants   the target that follows from a target and a scenario
    scene      what happens in the call: the seam, and which kind does what
    silence    when the agent stopped and whether it went on; pure functions of what was heard
    barge_in, backchannel, pause, reconnect   a kind each: what it does, and its figures

A kind is a value of `Kind`, a file with a `Scene`, and a line in `scene`.
"""
