"""How long a call may take, and the limits of time within it."""

from collections.abc import Mapping
from math import ceil
from typing import Any

from exporter.probes.latency.caller import TurnConfig
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.script import Step
from exporter.probes.latency.sound import SoundConfig
from exporter.probes.latency.utterances import SPEAKING_S, Utterance
from exporter.probes.latency.way_in.config import TokenConfig

CONNECT_TIMEOUT_S = 10.0
CLEANUP_S = 5.0
"""Kept back from the deadline, so that the room is deleted and the turns so far are told."""
REPLY_LIMIT_S = 30.0
"""A reply that goes on for longer is interrupted by the next utterance."""
REPORT_TIMEOUT_S = 3.0
"""How long the agent's own figures may come after its reply."""

DECISION_S = 10.0
"""After a sound into the agent's speech it is known by then what the agent does."""

RPC_S = 10.0
"""How long an RPC to the agent may take."""

_SHORTEST_DEADLINE_S = 180.0
_AROUND_S = 5.0 + CONNECT_TIMEOUT_S + CLEANUP_S
"""To make the room and ask for the agent, to enter, and to leave."""
_TURN_S = 1.0 + REPLY_LIMIT_S + REPORT_TIMEOUT_S
"""To hear a reply to its end; our utterance and the wait for the reply come on top."""


def needed_s(target: Mapping[str, Any]) -> float:
    """Return the seconds that a call may take: its waits, its utterances, its longest replies.

    What could not be understood has an error of its own, and counts as nothing here.
    """
    waits = sum(target.get(f"{name}_timeout", 0.0) for name in ("join", "track", "greeting"))
    waits *= 1 + target.get("follow", False)
    token: TokenConfig | None = target.get("token")
    waits += token.timeout if token else 0.0
    turns = target.get("trials", 1) + target.get("warmup", True)
    if (long := target.get("endurance")) is not None:
        turns = 1 + target.get("warmup", True)
        waits += long.length
    script: tuple[Step, ...] = target.get("script", ())
    says: tuple[Utterance, ...] = (
        script or target.get("utterances") or (target.get("utterance", Utterance()),)
    )
    says_s = turns * max(each.longest_s for each in says)
    if script:
        turns = len(script)
        says_s = sum(each.longest_s + each.expect.longest_s for each in script)
    rpcs: TurnConfig | None = target.get("turn")
    turn_s = target.get("reply_timeout", 0.0) + _TURN_S + RPC_S * (rpcs.methods if rpcs else 0)
    speaking_s = SPEAKING_S * sum(each.say is not None for each in says)
    scoring_s = target.get("sound", SoundConfig()).scoring_s(len(script) or target.get("trials", 1))
    played: ScenarioConfig | None = target.get("played")
    if played is not None and played.speaks_into:
        turn_s += played.after + DECISION_S + played.longest_sound_s
        turns *= 1 + played.answers
    waits += 0.0 if played is None else played.longest_break_s
    return float(ceil(_AROUND_S + waits + speaking_s + says_s + turns * turn_s + scoring_s))


def shortest_deadline_s(needed: float) -> float:
    """Return the deadline of a call that may take so many seconds, where none is set."""
    return max(_SHORTEST_DEADLINE_S, needed)
