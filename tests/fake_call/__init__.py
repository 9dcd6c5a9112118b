"""Calls to a scripted agent on the virtual clock: the real caller, without the SDK's library.

    devices   room, microphone and ear as the SDK would show them to a caller
    agent     the agent in the room, and what it does
    api       the server API, as far as a call asks it
    calls     place a call, or hold a conversation only, and tell what came of it

The fake stands where the SDK stands: `Caller`, `Conversation`, `Call`, the two audio clocks, the
loop's lag and the agent's reports are the product's own. A way there and back takes no time here,
so that a latency is what the script says, to the sample.
"""
