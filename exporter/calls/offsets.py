"""What callers hear later than agents report, as probes have measured it."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

from exporter.outcome import CallResult, Outcome

HOLDS_S = 3600.0
"""A difference older than this says nothing of the calls of now."""
_MOST = 300
"""Turns of one agent."""
_SCENARIO = "default"


@dataclass(frozen=True, slots=True)
class _Difference:
    at: float
    seconds: float


class Offsets:
    """The difference of heard and reported latency by agent, of the turns of the last hour.

    Of calls of the scenario `default` over an unchanged line; without warm-up turns, and turns
    with a filler. Of one thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin without any."""
        self._clock = clock
        self._found: dict[str, deque[_Difference]] = {}

    def record(self, outcome: Outcome) -> None:
        """Take the turns of a call: a listener."""
        call = outcome.result
        if not isinstance(call, CallResult) or call.scenario != _SCENARIO:
            return
        if call.line is not None or call.sending is not None:
            return
        for turn in call.turns:
            if not turn.is_measured:
                continue
            if turn.e2e_s is None or turn.reported_e2e_s is None or turn.time_to_answer_s:
                continue
            found = self._found.setdefault(call.agent_name, deque(maxlen=_MOST))
            found.append(_Difference(self._clock(), turn.e2e_s - turn.reported_e2e_s))

    def of(self, agent_name: str) -> float | None:
        """Return the median in seconds; None if no probe has measured it within the hour."""
        found = self._found.get(agent_name)
        since = self._clock() - HOLDS_S
        while found and found[0].at < since:
            found.popleft()
        if not found:
            self._found.pop(agent_name, None)
            return None
        return median(each.seconds for each in found)
