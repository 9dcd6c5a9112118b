"""What is used of a model: what providers bill."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ModelUsage:
    """What a session has used of one model since it began."""

    model: str
    llm_input: int = 0
    """Tokens, those of the cache among them."""
    llm_cached: int = 0
    llm_output: int = 0
    tts_characters: int = 0
    stt_seconds: float = 0.0


def tokens(usage: Iterable[ModelUsage]) -> int:
    """Return the tokens of all models together, read and written; cached ones are read as well."""
    return sum(each.llm_input + each.llm_output for each in usage)
