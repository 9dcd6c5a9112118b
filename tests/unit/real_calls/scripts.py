"""Calls of every kind, and what is true of each."""

from tests.unit.real_calls.events import Script

CALL = "calls_total demo caller -"
_CALLER_LEFT = "participant_disconnects_total standard client_initiated"
_AGENT_LEFT = "participant_disconnects_total agent client_initiated"


def ordinary(sid: str = "RM_1") -> Script:
    """Return a call of a minute that the caller ends."""
    return (
        Script(sid=sid)
        .join(0, "ann")
        .join(1, "a", "agent", agent="demo")
        .speak(2, "a")
        .leave(60, "ann")
        .leave(60, "a")
        .finish(80)
    )


def _with_agent() -> Script:
    return Script().join(0, "ann").join(1, "a", "agent", agent="demo").speak(2, "a")


SCRIPTS = {
    "ordinary": ordinary(),
    "abandoned": Script().join(0, "ann").leave(9, "ann").finish(30),
    "abandoned before the voice": Script()
    .join(0, "ann")
    .join(1, "a", "agent", agent="demo")
    .leave(9, "ann")
    .speak(12, "a")
    .leave(13, "a")
    .finish(30),
    "short": _with_agent().leave(4, "ann").leave(4, "a").finish(30),
    "agent ends it": _with_agent().leave(40, "a").leave(42, "ann").finish(60),
    "agent dies": _with_agent().leave(40, "a", "signal_close").leave(55, "ann").finish(70),
    "caller vanishes": _with_agent()
    .leave(40, "ann", "connection_timeout")
    .leave(41, "a")
    .finish(70),
    "room deleted": _with_agent()
    .leave(40, "ann", "room_deleted")
    .leave(40, "a", "room_deleted")
    .finish(40, deleted=True),
    "transfer": _with_agent()
    .join(30, "b", "agent", agent="second")
    .speak(31, "b")
    .leave(32, "a")
    .leave(60, "ann")
    .leave(60, "b")
    .finish(80),
    "transfer to a person": _with_agent()
    .join(30, "bob")
    .leave(32, "a")
    .leave(60, "bob")
    .leave(60, "ann")
    .finish(80),
    "two agents": _with_agent()
    .join(3, "b", "agent", agent="second")
    .leave(60, "ann")
    .leave(60, "a")
    .leave(61, "b")
    .finish(80),
    "recorded": ordinary().join(5, "EG_1", "egress").leave(61, "EG_1"),
    "telephone": Script()
    .join(0, "sip_+15550100", "sip", sip__trunkID="ST_1", sip__callStatus="hangup")
    .join(1, "a", "agent", agent="demo")
    .speak(2, "a")
    .leave(60, "sip_+15550100")
    .leave(60, "a")
    .finish(80),
    "telephone not picked up": Script()
    .join(0, "sip_1", "sip", sip__trunkID="ST_1", sip__callStatus="dialing")
    .leave(30, "sip_1", "user_unavailable")
    .finish(50),
    "reconnect": _with_agent()
    .leave(20, "ann", "duplicate_identity")
    .join(20, "ann")
    .leave(60, "ann")
    .leave(60, "a")
    .finish(80),
    "replaced after a death": _with_agent()
    .leave(30, "a", "signal_close")
    .join(35, "b", "agent", agent="demo")
    .speak(36, "b")
    .leave(60, "ann")
    .leave(60, "b")
    .finish(80),
    "meeting without agent in a probe's room": Script(room="voice-exporter-1")
    .join(0, "ann")
    .leave(9, "ann")
    .finish(30),
    "probe in a room with another name": Script()
    .join(0, "p", **{"voice-exporter.probe": "x"})
    .leave(9, "p")
    .finish(30),
    "agent alone": Script().join(0, "a", "agent", agent="demo").leave(9, "a").finish(30),
}

_ORDINARY: dict[str, float] = {
    CALL: 1,
    "call_duration_seconds demo": 60,
    "caller_wait_seconds demo": 2,
    _CALLER_LEFT: 1,
    _AGENT_LEFT: 1,
}
_UNHEARD: dict[str, float] = {"calls_total - caller -": 1, "callers_abandoned_total -": 1}
TRUTH: dict[str, dict[str, float]] = {
    "ordinary": _ORDINARY,
    "abandoned": {**_UNHEARD, "call_duration_seconds -": 9, _CALLER_LEFT: 1},
    "abandoned before the voice": {
        CALL: 1,
        "call_duration_seconds demo": 9,
        "callers_abandoned_total demo": 1,
        _CALLER_LEFT: 1,
        _AGENT_LEFT: 1,
    },
    "short": _ORDINARY | {"call_duration_seconds demo": 4, "short_calls_total demo": 1},
    "agent ends it": {
        "calls_total demo agent -": 1,
        "call_duration_seconds demo": 40,
        "caller_wait_seconds demo": 2,
        _CALLER_LEFT: 1,
        _AGENT_LEFT: 1,
    },
    "agent dies": {
        "calls_total demo failure -": 1,
        "call_duration_seconds demo": 40,
        "caller_wait_seconds demo": 2,
        _CALLER_LEFT: 1,
        "participant_disconnects_total agent signal_close": 1,
    },
    "caller vanishes": {
        "calls_total demo failure -": 1,
        "call_duration_seconds demo": 40,
        "caller_wait_seconds demo": 2,
        _AGENT_LEFT: 1,
        "participant_disconnects_total standard connection_timeout": 1,
    },
    "room deleted": {
        "calls_total demo server -": 1,
        "call_duration_seconds demo": 40,
        "caller_wait_seconds demo": 2,
        "participant_disconnects_total agent room_deleted": 1,
        "participant_disconnects_total standard room_deleted": 1,
    },
    "transfer": _ORDINARY | {_AGENT_LEFT: 2, "transfers_total demo": 1},
    "transfer to a person": _ORDINARY | {_CALLER_LEFT: 2, "transfers_total demo": 1},
    "two agents": _ORDINARY | {_AGENT_LEFT: 2},
    "recorded": _ORDINARY | {"participant_disconnects_total egress client_initiated": 1},
    "telephone": {
        CALL: 1,
        "call_duration_seconds demo": 60,
        "caller_wait_seconds demo": 2,
        "participant_disconnects_total sip client_initiated": 1,
        _AGENT_LEFT: 1,
        "sip_calls_total ST_1 hangup": 1,
    },
    "telephone not picked up": {
        "calls_total - caller -": 1,
        "call_duration_seconds -": 30,
        "participant_disconnects_total sip user_unavailable": 1,
        "sip_calls_total ST_1 dialing": 1,
    },
    "reconnect": _ORDINARY | {"participant_disconnects_total standard duplicate_identity": 1},
    "replaced after a death": _ORDINARY | {"participant_disconnects_total agent signal_close": 1},
    "meeting without agent in a probe's room": {},
    "probe in a room with another name": {},
    "agent alone": {},
}
