"""What the agent understood: its transcripts against the words that were said."""

import pytest

from exporter.probes.latency.understood import has_words, normalized, score

SAID = "My order has not arrived yet."


@pytest.mark.parametrize(
    ("heard", "wrong"),
    [
        pytest.param([SAID], (0, 0, 0), id="every word"),
        pytest.param(["My order has not arrived."], (0, 1, 0), id="one deleted"),
        pytest.param(["My border has not arrived yet."], (1, 0, 0), id="one substituted"),
        pytest.param(["Oh my order has not arrived yet."], (0, 0, 1), id="one inserted"),
        pytest.param(["My border has not arrived."], (1, 1, 0), id="two of six"),
        pytest.param(["We sell shoes in every town"], (6, 0, 0), id="six of six"),
        pytest.param([], (0, 6, 0), id="nothing heard"),
        pytest.param([""], (0, 6, 0), id="an empty transcript"),
        pytest.param(["My order has", "not arrived yet."], (0, 0, 0), id="two finals"),
        pytest.param(["My order", "has not", "arrived"], (0, 1, 0), id="three, one word deleted"),
        pytest.param(["My order has", "has not arrived yet"], (0, 0, 1), id="two, one word twice"),
        pytest.param(["my ORDER, has not arrived yet!"], (0, 0, 0), id="case and punctuation"),
    ],
)
def test_word_errors_are_counted(heard: list[str], wrong: tuple[int, int, int]) -> None:
    """Substituted, deleted and inserted words of six, over one and several finals."""
    found = score(SAID, heard)
    assert (found.substituted, found.deleted, found.inserted) == wrong
    assert found.words == 6
    assert found.hit == 6 - wrong[0] - wrong[1]
    assert found.wer == pytest.approx(sum(wrong) / 6)


def test_as_written_case_and_punctuation_count() -> None:
    """`raw` compares what is written: `My` is not `my`, `yet.` is not `yet`."""
    raw = score(SAID, ["my order has not arrived yet"]).raw
    assert (raw.words, raw.hit, raw.substituted) == (6, 4, 2)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("A table for two", "a table for 2"),
        ("twenty-five dollars", "25 dollars"),
        ("Two hundred five", "205"),
        ("one thousand two hundred", "1,200"),
        ("two hundred thousand", "200000"),
        ("five five five one two", "5 5 5 1 2"),
        ("my code is four two", "My code is 42."),
        ("one point five", "1.5"),
        ("nineteen people", "19 people"),
        ("don't", "don\N{RIGHT SINGLE QUOTATION MARK}t"),
        ("CAF\N{LATIN CAPITAL LETTER E WITH ACUTE}", "cafe\N{COMBINING ACUTE ACCENT}"),
        ("half past nine, thirty days", "half past 9 30 days"),
        ("two hundred and fifty", "250"),
        ("two thousand and seven", "2007"),
        ("one hundred and then", "100 and then"),
        ("ten percent", "10%"),
        ("zero point five per cent", "0.5 %"),
        ("in nineteen eighty four", "in 1984"),
        ("twenty twenty five", "2025"),
        ("nineteen hundred", "1900"),
        ("fifty fifty", "50 50"),
        ("the third of May", "the 3rd of May"),
        ("the second floor", "the 2nd floor"),
        ("twenty first", "21st"),
        ("one hundred and fifth", "105th"),
        ("two hundredth", "200th"),
        ("one thousandth", "1,000th"),
        ("the fortieth and the twelfth", "the 40th and the 12th"),
        ("five dollars", "$5"),
        ("five dollars twenty", "$5.20"),
        ("one euro", "€1"),
        ("two thousand five hundred pounds", "£2,500"),
    ],
)
def test_one_form_for_what_means_the_same(one: str, other: str) -> None:
    """Numbers may be digits or words; case, punctuation and encodings of letters do not count."""
    assert normalized(one) == normalized(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("twenty", "two"),
        ("five", "fifteen"),
        ("a hundred", "one hundred"),
        ("1.5", "15"),
        ("third", "three"),
        ("wait a second", "wait 2"),
        ("two and three", "23"),
        ("five dollars", "5 euros"),
    ],
)
def test_what_means_something_else_differs(one: str, other: str) -> None:
    """The one form keeps numbers apart."""
    assert normalized(one) != normalized(other)


@pytest.mark.parametrize(
    ("said", "heard", "characters"),
    [
        pytest.param("今日は雨です。", "今日は雪です", 6, id="Japanese"),
        pytest.param("我要一杯茶", "我要两杯茶", 5, id="Chinese"),
        pytest.param("ขอชาร้อน", "ขอชาร้อม", 8, id="Thai"),
    ],
)
def test_without_spaces_characters_count(said: str, heard: str, characters: int) -> None:
    """One wrong character of a language without spaces is one error, not one whole sentence."""
    found = score(said, [heard])
    assert (found.words, found.substituted, found.deleted, found.inserted) == (characters, 1, 0, 0)


def test_words_among_characters_stay_words() -> None:
    """A name in Latin letters is one word within Chinese."""
    assert score("我爱LiveKit", ["我爱 livekit"]).words == 3


@pytest.mark.parametrize("text", ["", " ", "...", "?!"])
def test_a_text_without_words_cannot_be_understood(text: str) -> None:
    """Nothing can be compared with punctuation alone."""
    assert not has_words(text)
    assert has_words(f"{text} a")
