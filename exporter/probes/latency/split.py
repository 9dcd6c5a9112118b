"""Where the time of the last call went: which component an engineer is to look at first."""

from collections.abc import Iterable, Iterator
from dataclasses import fields
from statistics import fmean

from exporter.outcome import Components, Turn
from exporter.series import Reading, family

PARTS = tuple(part.name.removesuffix("_s") for part in fields(Components))

LAST_COMPONENTS = family(
    "calls",
    "voice_last_call_component_seconds",
    "gauge",
    "agent_name call_type scenario vantage component",
    "Mean of each component of the end-to-end latency, over the measured turns of the last call. "
    "Components as in voice_component_latency_seconds. Absent where the agent reports none, and "
    "after a call without a measured turn.",
    component=PARTS,
)


def readings(turns: Iterable[Turn]) -> Iterator[Reading]:
    """Show the mean of each component that some measured turn has."""
    measured = [turn for turn in turns if turn.is_measured]
    for part in PARTS:
        found = [getattr(turn.components, f"{part}_s") for turn in measured]
        known = [max(0.0, seconds) for seconds in found if seconds is not None]
        if known:
            yield LAST_COMPONENTS.read(fmean(known), component=part)
