"""How much of the caller's words the agent understood."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.units import PercentUnit, Short

from dashboards.agent.series import CALLS
from dashboards.overrides import dashed
from dashboards.panels import Card, graph
from dashboards.queries import CALL_STEP, recent, series, total

_WORDS = "voice_transcribed_words_total"
_BY = "call_type, scenario"
_ERRORS = "substituted|deleted|inserted"
_SAID = "hit|substituted|deleted"


def panels() -> tuple[Panel, ...]:
    """Return the panels of the row."""
    rate_card = Card(
        191,
        "Word error rate",
        "Wrong words of the agent's own final transcripts by the words that the caller said, in "
        "the window that ends at each point, without regard to case, punctuation and the form of "
        "numbers; and max_wer of the target. From voice_transcribed_words_total and "
        "voice_target_word_error_ratio. Bad: above the dashed line, or rising: another model or "
        "language of the recogniser, or noise and loss on the line.",
        empty="No transcript was compared",
        width=12,
    )
    kinds_card = Card(
        192,
        "Words by outcome",
        "Words of the caller in the window that ends at each point. From "
        "voice_transcribed_words_total. Bad: deleted (speech is cut off or lost), substituted "
        "(the recogniser mishears), inserted (it hears something that the caller did not say).",
        empty="No transcript was compared",
        width=12,
    )
    limit = f"min by ({_BY}) (voice_target_word_error_ratio{{{CALLS}}})"
    kinds = total("call_type, kind", recent(f'{_WORDS}{{{CALLS}, form="normalized"}}'))
    return (
        graph(
            rate_card,
            series(_rate("normalized"), "{{call_type}} {{scenario}}", CALL_STEP),
            series(_rate("raw"), "{{call_type}} {{scenario}}, as written", CALL_STEP),
            series(limit, "{{call_type}} {{scenario}}, max_wer"),
            unit=PercentUnit,
            overrides=[dashed(", max_wer$")],
        ),
        graph(
            kinds_card,
            series(kinds, "{{call_type}} {{kind}}", CALL_STEP),
            unit=Short,
            is_stacked=True,
            has_bars=True,
        ),
    )


def _rate(form: str) -> str:
    def words(kinds: str) -> str:
        return total(_BY, recent(f'{_WORDS}{{{CALLS}, form="{form}", kind=~"{kinds}"}}'))

    return f"{words(_ERRORS)} / ({words(_SAID)} > 0)"
