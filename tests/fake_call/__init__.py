"""Calls to a scripted agent on the virtual clock: the real caller, without the SDK's library.

    devices   microphone, track and ear as the SDK would show them to a caller
    room      the room, and who is in it, as the SDK would show them
    script    what the agent does
    sounds    what is heard, and how long
    reports   what the agent reports of its session
    agent     the agent in the room
    talker    one with long answers, which is interrupted
    api       the server API, as far as a call asks it
    calls     place a call, or hold a conversation only, and tell what came of it

The fake stands where the SDK stands: `Caller`, `Conversation`, `Call`, the two audio clocks, the
loop's lag and the agent's reports are the product's own. A way there and back takes no time here,
so that a latency is what the script says, to the sample.
"""
