"""Understood: the agent's own transcript of the caller's speech against what was said.

No recogniser of ours is needed, and none judges: the words are known, and the agent reports what
its recogniser made of them. Only counts leave this module.
"""

import re
import unicodedata
from collections.abc import Iterable

from exporter.outcome import Transcription, WordErrors

_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA", "THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN")
"""Scripts without spaces between words, as the names of their characters begin."""

_TEENS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"),
    *("eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen"),
    *("eighteen", "nineteen"),
)
_UNITS = {word: value for value, word in enumerate(_TEENS)}
_TENS = {
    "twenty": 20,
    "thirty": 30,
    "forty": 40,
    "fifty": 50,
    "sixty": 60,
    "seventy": 70,
    "eighty": 80,
    "ninety": 90,
}
_SCALES = {"hundred": 100, "thousand": 1_000, "million": 1_000_000}
_LEAST_TEEN = 10

_APOSTROPHES = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}]")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}\b)")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_SPELLED = re.compile(r"(?<=\b\d) (?=\d\b)")


def score(said: str, heard: Iterable[str]) -> Transcription:
    """Count the word errors of a transcript.

    Args:
        said: The words of the utterance; at least one, see `has_words`.
        heard: The final transcripts of it, in their order; an agent may send several for one
            utterance, and none where it heard nothing.

    Returns:
        The counts without regard to case, punctuation and the form of numbers; the same with
        regard to them in `raw`. In languages without spaces a character counts as a word.
    """
    text = " ".join(heard)
    raw, plain = _errors(_spaced(said), _spaced(text)), _errors(normalized(said), normalized(text))
    return Transcription(plain.words, plain.substituted, plain.deleted, plain.inserted, raw=raw)


def has_words(text: str) -> bool:
    """Tell whether a transcript has anything that can be understood."""
    return bool(normalized(text))


def normalized(text: str) -> str:
    """Return the words of a text in one form: lower case, no punctuation, numbers as digits.

    Number words are English; in other languages they stay words.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = _POINT.sub(" point ", _GROUPED.sub("", _APOSTROPHES.sub("", folded)))
    kept = (each if _belongs_to_word(each) else " " for each in folded)
    return _SPELLED.sub("", " ".join(_numbers(_spaced("".join(kept)).split())))


def get_ready() -> None:
    """Load what scores, which takes up to 0.4 s: between two turns it would make them late."""
    import jiwer  # noqa: F401, PLC0415 - only where a call is placed


def _errors(said: str, heard: str) -> WordErrors:
    import jiwer  # noqa: PLC0415 - only where a call is scored

    found = jiwer.process_words(said, heard)
    return WordErrors(
        words=found.hits + found.substitutions + found.deletions,
        substituted=found.substitutions,
        deleted=found.deletions,
        inserted=found.insertions,
    )


def _belongs_to_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LMN"


def _spaced(text: str) -> str:
    """Return a text with spaces around every character of a script that has none."""
    return " ".join("".join(f" {each} " if _is_unspaced(each) else each for each in text).split())


def _is_unspaced(character: str) -> bool:
    return unicodedata.name(character, "").startswith(_UNSPACED)


def _numbers(words: Iterable[str]) -> Iterable[str]:
    """Yield the words, with each run of number words as one number: `two hundred five` is 205."""
    total, last = None, 0  # the number so far, and its last part
    for word in words:
        part = _UNITS.get(word, _TENS.get(word))
        if word in _SCALES and total is not None:
            total, last = _scaled(total, _SCALES[word]), _SCALES[word]
        elif part is not None and total is not None and _goes_on(last, part):
            total, last = total + part, part
        else:
            if total is not None:
                yield str(total)
            total, last = part, part or 0
            if part is None:
                yield word
    if total is not None:
        yield str(total)


def _goes_on(last: int, part: int) -> bool:
    """Tell whether a part belongs to the number: `twenty five` is one, `five five` is two."""
    if last in _TENS.values():
        return 0 < part < _LEAST_TEEN
    return last in _SCALES.values() and part > 0


def _scaled(total: int, scale: int) -> int:
    """Return `two hundred` for 2 and 100, and `one thousand two hundred` for 1002 and 100."""
    rest = total % scale if scale > _SCALES["hundred"] else total % 100
    return total - rest + rest * scale
