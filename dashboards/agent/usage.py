"""What calls use of the agent's models, and what it costs."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import Seconds, Short

from dashboards.agent.series import CALL_TYPE, CALLS, THE_AGENT
from dashboards.overrides import in_unit
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, recent, series, total

_USAGE = "voice_usage_total"
_ABSENT = "The agent reports no usage: it needs livekit-agents 1.5 or later"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    return _tokens(), _per_turn(), _speech(), _cost(), _remaining()


def _tokens() -> Panel:
    card = Card(
        211,
        "Tokens by kind",
        "Tokens of test calls by call type, kind and model, in the window that ends at each "
        "point: llm_input was read, llm_cached is the part of it that the provider had in its "
        "cache, llm_output was written. From voice_usage_total as reported by the agent. Bad: "
        "llm_input grows, or llm_cached falls, while the calls stay the same.",
        empty=_ABSENT,
        width=12,
    )
    used = total(f"{CALL_TYPE}, kind, model", recent(f'{_USAGE}{{{CALLS}, kind=~"llm_.*"}}'))
    return graph(card, series(used, "{{call_type}} {{kind}} {{model}}", CALL_STEP), unit=Short)


def _per_turn() -> Panel:
    card = Card(
        212,
        "Tokens per turn",
        "Tokens read and written for each turn that did not fail, by call type and scenario, in "
        "the window that ends at each point; those of warm-up turns are among them. From "
        "voice_usage_total and voice_turns_total. Bad: a step upwards, of which "
        "VoiceAgentTokensJump reports: real calls cost more as well.",
        empty=_ABSENT,
        width=12,
    )
    by = f"{CALL_TYPE}, scenario"
    used = total(by, recent(f'{_USAGE}{{{CALLS}, kind=~"llm_input|llm_output"}}'))
    turns = total(by, recent(f'voice_turns_total{{{CALLS}, outcome!="failed"}}'))
    query = series(f"{used} / ({turns} > 0)", "{{call_type}} {{scenario}}", CALL_STEP)
    return graph(card, query, unit=Short)


def _speech() -> Panel:
    card = Card(
        213,
        "Characters spoken and sound recognised",
        "Characters given to speech synthesis, and seconds of sound given to speech recognition, "
        "by call type and model, in the window that ends at each point. From voice_usage_total "
        "as reported by the agent. Bad: characters grow while the calls stay the same: replies "
        "are longer.",
        empty=_ABSENT,
    )
    parts = (("characters", "tts_characters"), ("sound", "stt_seconds"))
    queries = (
        series(
            total(f"{CALL_TYPE}, model", recent(f'{_USAGE}{{{CALLS}, kind="{kind}"}}')),
            f"{name} {{{{call_type}}}} {{{{model}}}}",
            CALL_STEP,
        )
        for name, kind in parts
    )
    return graph(card, *queries, unit=Short, overrides=[in_unit("^sound ", Seconds)])


def _cost() -> Panel:
    card = Card(
        214,
        "Cost of test calls",
        "Cost of calls to the agent at budget.price_per_minute and budget.prices, in the same "
        "currency, in the window that ends at each point. From voice_budget_cost_total. Bad: more "
        "than planned. Models without a price cost nothing here.",
        empty="No price is set",
    )
    cost = f"sum({recent(f'voice_budget_cost_total{{{THE_AGENT}}}')})"
    return graph(card, series(cost, "cost", CALL_STEP), unit=Short)


def _remaining() -> Panel:
    card = Card(
        215,
        "Tokens left today",
        "Tokens left for the agent's targets until midnight. From voice_budget_remaining_tokens. "
        "Bad: 0: the agent is not called until midnight.",
        empty="budget.tokens_per_day is not set",
    )
    left = f"min(voice_budget_remaining_tokens{{{THE_AGENT}}})"
    return graph(card, series(left, "tokens"), unit=Short)
