"""What a call has used of the agent's models, as the agent itself reports."""

from dataclasses import replace
from math import isfinite

from exporter.outcome import ModelUsage, Timeline
from exporter.outcome.timeline import Usage

UNNAMED = "unknown"
"""Stands for a model without a name, as livekit-agents itself has it."""


def usage_of(call: Timeline) -> tuple[ModelUsage, ...]:
    """Return what a call has used of each model; () where no agent told.

    An agent tells totals of its session: its last word counts. Where another agent took over, it
    has a session of its own, and both count.
    """
    last = {told.sender: told.models for told in call.of_every_agent(Usage)}
    sums: dict[str, ModelUsage] = {}
    for used in (each for models in last.values() for each in models):
        name = used.model or UNNAMED
        sums[name] = _sum(sums.get(name, ModelUsage(name)), used)
    return tuple(sums.values())


def _sum(one: ModelUsage, told: ModelUsage) -> ModelUsage:
    """Add what an agent told; what no counter can take, below 0 or endless, is left out."""
    seconds = told.stt_seconds if isfinite(told.stt_seconds) else 0.0
    return replace(
        one,
        llm_input=one.llm_input + max(0, told.llm_input),
        llm_cached=one.llm_cached + max(0, told.llm_cached),
        llm_output=one.llm_output + max(0, told.llm_output),
        tts_characters=one.tts_characters + max(0, told.tts_characters),
        stt_seconds=one.stt_seconds + max(0.0, seconds),
    )
