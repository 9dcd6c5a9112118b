"""Place the project's own calls at the near end of the link, and say by its clock when each ended.

`python -m tests.netlab.call` runs inside the namespace. It places a call for each line of settings
on standard input, and answers by the two ends of each measured turn in one line of JSON.
"""

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any

from livekit import rtc

from exporter.outcome import CallResult, Turn
from exporter.probe import Run
from exporter.probes.latency.measure import place_call
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.caller import Caller
from exporter.rtc.tracks import Devices, Ear, Microphone
from exporter.server_api import Server
from tests import patience
from tests.netlab.inside import Inside
from tests.netlab.lab import NetLab

IsAgent = Callable[[rtc.RemoteParticipant], bool | None]
Confirm = Callable[[str], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a turn, as the caller has them; seconds on the monotonic clock."""

    end_s: float
    reply_s: float
    jitter_buffer_s: float


@dataclass(frozen=True, slots=True)
class Placed:
    """One call."""

    turns: tuple[Ends, ...]
    e2e_s: tuple[float, ...]
    """What the caller makes of them."""
    detail: str
    """Why there are none, or fewer."""
    began_s: float
    """Seconds since the epoch."""
    ended_s: float


class Callers(Inside):
    """The process at the near end, from its start to the end of a `with` block."""

    def __init__(self, lab: NetLab, server: Server) -> None:
        """Prepare it; nothing runs yet."""
        super().__init__(lab, server, "tests.netlab.call")

    def place(self, **settings: Any) -> Placed:
        """Place one call by these settings of a target.

        Raises:
            RuntimeError: The process has ended, or does not answer.
        """
        limit_s = LatencyConfig.model_validate(settings).deadline + patience.START_S
        told = json.loads(self.ask(json.dumps(settings), limit_s))
        ends = tuple(Ends(**each) for each in told.pop("turns"))
        return Placed(turns=ends, **told)


class _Noting(Caller):
    """A caller that notes the ends of its turns as its own microphone and ear tell them."""

    def __init__(self, is_agent: IsAgent, confirm: Confirm | None = None) -> None:
        self.ends_s = ends_s = list[float]()
        self.replies_s = replies_s = list[float]()

        class NotingMicrophone(Microphone):
            async def time_of(self, sample: int) -> float:
                ends_s.append(await super().time_of(sample))
                return ends_s[-1]

        class NotingEar(Ear):
            async def time_of(self, sample: int) -> float:
                replies_s.append(await super().time_of(sample))
                return replies_s[-1]

        devices = Devices(microphone=NotingMicrophone, ear=NotingEar)
        super().__init__(is_agent, confirm, devices)

    def ends_of(self, turn: Turn) -> Ends:
        """Return the two ends that are as far apart as the turn says."""
        assert turn.e2e_s is not None
        both = itertools.product(self.ends_s, self.replies_s)
        end_s, reply_s = min(both, key=lambda ends: abs(ends[1] - ends[0] - (turn.e2e_s or 0.0)))
        return Ends(end_s, reply_s, turn.jitter_buffer_s or 0.0)


async def _place(config: LatencyConfig, server: Server) -> Placed:
    made: list[_Noting] = []

    def make(is_agent: IsAgent, confirm: Confirm | None = None) -> Caller:
        made.append(_Noting(is_agent, confirm))
        return made[0]

    run = Run(id="netlab", server=server, deadline=time.monotonic() + config.deadline)
    outcome = await place_call(config, run, make_caller=make)
    assert isinstance(outcome.result, CallResult), outcome
    measured = [t for t in outcome.result.turns if t.e2e_s is not None and not t.warmup]
    turns = [made[0].ends_of(turn) for turn in measured]
    began_s = outcome.started_at.timestamp()
    return Placed(
        tuple(turns),
        tuple(turn.e2e_s for turn in measured if turn.e2e_s is not None),
        f"{outcome.reason}: {outcome.detail}" if outcome.reason else "",
        began_s,
        began_s + outcome.duration_s,
    )


def _main() -> None:
    url, key, secret = (os.environ[f"LIVEKIT_{each}"] for each in ("URL", "API_KEY", "API_SECRET"))
    for settings in sys.stdin:
        config = LatencyConfig.model_validate_json(settings)
        placed = asyncio.run(_place(config, Server(url, key, secret)))
        sys.stdout.write(json.dumps(asdict(placed)) + "\n")
        sys.stdout.flush()
    os._exit(0)  # the SDK (livekit 1.1.21) sometimes aborts when its library is unloaded


if __name__ == "__main__":
    _main()
