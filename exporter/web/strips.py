"""Small pictures in a row: the last calls as a strip, and where the time of the last one went."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from exporter.colors import COMPONENTS
from exporter.outcome import Components, Verdict
from exporter.web.past import PastRun
from exporter.web.times import plural
from exporter.web.why import PART_WORDS

WORST_FIRST = (Verdict.FAIL, Verdict.SLOW, Verdict.UNKNOWN, Verdict.PASS)
CALLS = 48
"""In a strip."""
STEP, BAR, HEIGHT = 5, 4, 28
"""Width of a call with its gap, of its bar, and the height of a strip, in its own units."""
TARGET_Y = 16
"""Where the line of the target is, from above: a good call ends below it."""
_HIGHEST = 24
"""Of a call that was measured: only one without a measurement that should have one is higher."""
_NOTHING = 3
"""Of a call that says nothing about the agent."""
SPLIT_WIDTH = 130


@dataclass(frozen=True, slots=True)
class Strip:
    """The last calls of a target, the oldest on the left."""

    bars: Mapping[Verdict, str]
    """The path of an SVG for each verdict: colour tells it, and so does height."""
    words: str
    """The same for who does not see it."""


@dataclass(frozen=True, slots=True)
class Part:
    """A component of the last call, as a bar of a width."""

    name: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Split:
    """Where the time of a call went."""

    parts: tuple[Part, ...]
    words: str


def strip(runs: Sequence[PastRun], target_s: float) -> Strip | None:
    """Return the strip of the last calls; None where none is known.

    Args:
        runs: The calls, the newest last.
        target_s: What is drawn as the line.
    """
    shown = list(runs)[-CALLS:]
    if not shown:
        return None
    bars: dict[Verdict, list[str]] = {}
    for place, run in enumerate(shown, CALLS - len(shown)):
        height = _height(run, target_s)
        path = f"M{place * STEP} {HEIGHT}v-{height}h{BAR}v{height}z"
        bars.setdefault(run.verdict, []).append(path)
    counts = Counter(run.verdict for run in shown)
    listed = ", ".join(f"{counts[verdict]} {verdict}" for verdict in WORST_FIRST if counts[verdict])
    words = f"last {plural(len(shown), 'call')}, the oldest first: {listed}"
    return Strip({verdict: "".join(paths) for verdict, paths in bars.items()}, words)


def _height(run: PastRun, target_s: float) -> int:
    """Return the height of a bar: against the target, or of a call that has no latency."""
    if run.took_s is not None and run.verdict is not Verdict.UNKNOWN:
        share = run.took_s / target_s
        return max(2, min(_HIGHEST, round(share * (HEIGHT - TARGET_Y))))
    return HEIGHT if run.verdict is Verdict.FAIL else _NOTHING


def split(parts: Components | None) -> Split | None:
    """Return the bars of the components of a call; None where none is known."""
    known = [
        (name, max(0.0, seconds))
        for name in COMPONENTS
        if parts is not None and (seconds := getattr(parts, f"{name}_s")) is not None
    ]
    total_s = sum(seconds for _, seconds in known)
    if total_s <= 0:
        return None
    ends = [0.0]
    for _, seconds in known:
        ends.append(ends[-1] + seconds / total_s * SPLIT_WIDTH)
    bars = (
        Part(name, round(left, 1), round(right - left, 1))
        for (name, _), (left, right) in zip(known, pairwise(ends), strict=True)
    )
    return Split(tuple(bars), _listed(known))


def _listed(known: Iterable[tuple[str, float]]) -> str:
    return ", ".join(f"{PART_WORDS[name]} {seconds:.2f} s" for name, seconds in known)
