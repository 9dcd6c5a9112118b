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
_CENTURIES = range(16, 21)
"""First halves of years that are said in two: `nineteen eighty four`."""
_ORDINALS = {
    "first": 1,
    "second": 2,
    "third": 3,
    "fifth": 5,
    "eighth": 8,
    "ninth": 9,
    "twelfth": 12,
    **{
        f"{word}th": _UNITS[word] for word in ("four", "six", "seven", *_TEENS[10:12], *_TEENS[13:])
    },
    **{f"{word[:-1]}ieth": value for word, value in _TENS.items()},
    **{f"{word}th": value for word, value in _SCALES.items()},
}
"""A number that ends in one is an ordinal."""

_APOSTROPHES = re.compile("['\N{RIGHT SINGLE QUOTATION MARK}]")
_GROUPED = re.compile(r"(?<=\d),(?=\d{3}(?!\d))")
_POINT = re.compile(r"(?<=\d)\.(?=\d)")
_ORDINAL = re.compile(r"\b(\d+) ?(?:st|nd|rd|th)\b")
_PERCENT = re.compile(r"(?<=\d) ?%|\bper cent\b")
_MONEY = re.compile(r"([$€£])\s?(\d[\d,]*)(?:\.(\d\d)\b)?")
_CURRENCIES = {"$": "dollars", "€": "euros", "£": "pounds"}
_ONE_FORM = {
    "dollar": "dollars",
    "euro": "euros",
    "pound": "pounds",
    "cent": "cents",
    **{word: f"{value}th" for word, value in _ORDINALS.items()},
    "second": "second",
    "2th": "second",  # a time as well: by itself it stays a word
}
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

    That holds for ordinals, years, percentages and amounts of money as well.

    Number words are English; in other languages they stay words.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = _PERCENT.sub(" percent ", _MONEY.sub(_said_money, folded))
    folded = _POINT.sub(" point ", _GROUPED.sub("", _APOSTROPHES.sub("", folded)))
    kept = (each if _belongs_to_word(each) else " " for each in folded)
    words = _ORDINAL.sub(r"\1th", " ".join(_numbers(_spaced("".join(kept)).split())))
    return _SPELLED.sub("", " ".join(_ONE_FORM.get(word, word) for word in words.split()))


def _said_money(found: re.Match[str]) -> str:
    """Return `$5.20` as it is said: `5 dollars 20`, and nothing of cents that are none."""
    rest = f" {int(found[3])}" if found[3] and int(found[3]) else ""
    return f" {found[2]} {_CURRENCIES[found[1]]}{rest} "


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
    given = list(words)
    for at, word in enumerate(given):
        part = _UNITS.get(word, _TENS.get(word))
        if total is not None and _is_joint(word, last, given[at + 1 : at + 2]):
            continue
        if total is not None and _ends_ordinal(word, last):
            yield f"{_ordinal(total, last, word)}th"
            total, last = None, 0
        elif word in _SCALES and total is not None:
            total, last = _scaled(total, _SCALES[word]), _SCALES[word]
        elif part is not None and total is not None and _goes_on(last, part):
            total, last = total + part, part
        elif part is not None and total is not None and _is_year(total, part):
            total, last = total * 100 + part, part
        else:
            if total is not None:
                yield str(total)
            total, last = part, part or 0
            if part is None:
                yield word
    if total is not None:
        yield str(total)


def _is_year(total: int, part: int) -> bool:
    """Tell whether two numbers are a year: `nineteen eighty`."""
    return total in _CENTURIES and part >= _LEAST_TEEN


def _is_joint(word: str, last: int, following: list[str]) -> bool:
    """Tell whether `and` joins the parts of a number: `two hundred and five`."""
    known = _UNITS.keys() | _TENS.keys() | _ORDINALS.keys()
    return word == "and" and last in _SCALES.values() and bool(known.intersection(following))


def _ends_ordinal(word: str, last: int) -> bool:
    """Tell whether a word makes an ordinal of the number before it: `twenty first`."""
    value = _ORDINALS.get(word)
    return value is not None and (value in _SCALES.values() or _goes_on(last, value))


def _ordinal(total: int, last: int, word: str) -> int:
    value = _ORDINALS[word]
    return _scaled(total, value) if value in _SCALES.values() else total + value


def _goes_on(last: int, part: int) -> bool:
    """Tell whether a part belongs to the number: `twenty five` is one, `five five` is two."""
    if last in _TENS.values():
        return 0 < part < _LEAST_TEEN
    return last in _SCALES.values() and part > 0


def _scaled(total: int, scale: int) -> int:
    """Return `two hundred` for 2 and 100, and `one thousand two hundred` for 1002 and 100."""
    rest = total % scale if scale > _SCALES["hundred"] else total % 100
    return total - rest + rest * scale
