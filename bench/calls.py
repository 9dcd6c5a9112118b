"""Calls to agents of known latency, and what they have over it."""

import math
import tempfile
import wave
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np

from bench.depths import Depths
from bench.report import Figures
from bench.stage import AGENT
from exporter.outcome import CallResult, Outcome, Turn
from exporter.probes.calibrate.measure import echo_clip
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.levels import RATE
from exporter.run.runner import Runner
from tests.integration.scripts import Script

TRIALS = 4


@dataclass(frozen=True, slots=True)
class Call:
    """One call to an agent of known delay."""

    delay_s: float
    turns: tuple[Turn, ...]
    """Without the warm-up turn."""
    detail: str = ""
    agent_depths_s: tuple[float, ...] = ()
    """The mean depth of the agent's jitter buffer during each turn; empty where it is not known."""

    @classmethod
    def of(
        cls,
        delay_s: float,
        turns: Sequence[Turn],
        detail: str = "",
        agent_depths_s: tuple[float, ...] = (),
    ) -> Self:
        """Return the call of which these are all the turns."""
        kept = tuple(turn for turn in turns if not turn.warmup)
        return cls(delay_s, kept, detail, agent_depths_s)

    @property
    def excess_ms(self) -> list[float]:
        """Measured less true delay of each measured turn, in milliseconds."""
        return [(turn.e2e_s - self.delay_s) * 1e3 for turn in self.turns if turn.e2e_s is not None]

    @property
    def unbuffered_ms(self) -> list[float]:
        """`excess_ms`, less what both jitter buffers held; empty where that is not known."""
        return [
            (turn.e2e_s - self.delay_s - turn.jitter_buffer_s - agent_s) * 1e3
            for turn, agent_s in zip(self.turns, self.agent_depths_s, strict=False)
            if turn.e2e_s is not None and turn.jitter_buffer_s is not None
        ]


class Placing:
    """Calls to the agent that replies after a delay: their configuration, and what they have shown.

    A context manager: the agent notes how deep its jitter buffer was as long as it is open.
    """

    def __init__(self, delay_s: float, wav: Path | None, **settings: object) -> None:
        """Set up.

        Args:
            delay_s: After which the agent replies.
            wav: What is said; None says the clip that ships.
            **settings: Of the target.
        """
        self._delay_s = delay_s
        self._folder = tempfile.TemporaryDirectory(prefix="bench-")
        self._depths = Depths(Path(self._folder.name) / "depths")
        script = Script(delay_s=delay_s, depths=str(self._depths.file))
        self.config = LatencyConfig.model_validate(
            {
                "agent_name": AGENT,
                "utterance": {"wav": wav},
                "metadata": script.metadata(),
                "trials": TRIALS,
                "greeting": "none",
                "join_timeout": 60,
            }
            | settings
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    def call(self, outcome: Outcome) -> Call:
        """Return what a call has shown."""
        turns = outcome.result.turns if isinstance(outcome.result, CallResult) else ()
        detail = f"{outcome.reason}: {outcome.detail}" if outcome.reason else ""
        return Call.of(self._delay_s, turns, detail, self._depths.of(outcome.run_id, turns))


async def place(runner: Runner, delay_s: float, wav: Path | None, **settings: object) -> Call:
    """Call the agent that replies after `delay_s`; None says the clip that ships."""
    with Placing(delay_s, wav, **settings) as placing:
        return placing.call(await runner.run("latency", placing.config))


def sharp_utterance(folder: Path) -> Path:
    """Write an utterance whose last loud sample is the same before and after a codec."""
    pcm = echo_clip().pcm
    path = folder / "sharp.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(pcm.tobytes())
    return path


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile of the magnitudes."""
    return float(np.percentile(np.abs(values), 95)) if values else math.nan


def all_excess_ms(calls: Sequence[Call]) -> list[float]:
    """Return measured less true delay of every measured turn, in milliseconds."""
    return [value for call in calls for value in call.excess_ms]


def less_median(values_ms: Sequence[float]) -> list[float]:
    """Return what each value has over the median of all."""
    return [value - float(np.median(values_ms)) for value in values_ms]


def check_residuals(rows: Figures, calls: Sequence[Call]) -> float:
    """Hold the turns of calls one at a time against their medians; return the floor in ms."""
    excess = all_excess_ms(calls)
    n = len(excess)
    floor = float(np.median(excess)) if excess else math.nan
    inside = p95([value for call in calls for value in less_median(call.excess_ms)])
    over = p95(less_median(excess))
    rows.check(
        "residual p95 within a call", n, f"{inside:.1f} ms", bound="≤ 5 ms", holds=inside <= 5
    )
    rows.check("residual p95 over calls", n, f"{over:.1f} ms", bound="≤ 15 ms", holds=over <= 15)
    rows.add("median offset (the floor)", n, f"{floor:.1f} ms")
    bare = [value for call in calls for value in call.unbuffered_ms]
    if bare:
        # What the buffers hold, a caller hears as well; it is what a busy machine changes.
        inside = p95([value for call in calls for value in less_median(call.unbuffered_ms)])
        rows.add("within a call, less both jitter buffers", len(bare), f"{inside:.1f} ms")
        rows.add("over calls, less both", len(bare), f"{p95(less_median(bare)):.1f} ms")
        rows.add("median offset, less both", len(bare), f"{np.median(bare):.1f} ms")
    return floor
