"""Where the answer begins in a reply that began with a filler."""

from typing import cast

import pytest

from exporter.probes.latency.reply import FILLER_OVER_S, Fillers
from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import WINDOW, WINDOW_S

QUIET, VOICE, THRESHOLD = -90.0, -18.0, -55.0
HEARD = 200
"""Windows until the first look at an agent that works."""
BACK = round(FILLER_OVER_S / 2 / WINDOW_S)
WORD = 8
"""Windows of a word; six are enough for a sound."""


class Ear:
    """Has heard silence, but for words that begin at these windows."""

    def __init__(self, *words: int, windows: int = HEARD) -> None:
        self.windows = windows
        self._words = words

    def levels(self, start: int) -> list[float]:
        """Return the levels from that window on."""
        loud = {at + each for at in self._words for each in range(WORD)}
        return [VOICE if at in loud else QUIET for at in range(start, self.windows)]

    def first_loud_sample(self, window: int, threshold_db: float) -> int:
        """Return the first sample of that window."""
        assert threshold_db == THRESHOLD
        return window * WINDOW


def found(ear: Ear, *works: bool, then: int = 0) -> int | None:
    """Return the window in which the answer begins, after looks at an agent that works or not.

    Args:
        ear: What was heard until the first of them.
        works: What each look is told.
        then: Windows that are heard between two of them.
    """
    fillers = Fillers(cast("Hearing", ear), THRESHOLD)
    for each in works:
        fillers.look(works=each)
        ear.windows += then
    return None if fillers.answer is None else fillers.answer // WINDOW


@pytest.mark.parametrize(
    ("word", "works", "expected"),
    [
        pytest.param(HEARD - BACK, True, HEARD - BACK, id="from half of the silence on"),
        pytest.param(HEARD - BACK - WORD, True, None, id="what is older is the filler"),
        pytest.param(HEARD - BACK, False, None, id="an agent that does not work has answered"),
    ],
)
def test_what_follows_the_silence_of_an_agent_that_works_is_the_answer(
    word: int, works: bool, expected: int | None
) -> None:
    """The silence counts from its middle: a filler may have been told late to have ended."""
    assert found(Ear(word), works) == expected


def test_what_is_awaited_may_come_when_the_agent_works_no_more() -> None:
    """It answers, and in the next look it is heard; each window is looked at once."""
    assert found(Ear(HEARD + 40), True, False, False, then=50) == HEARD + 40


def test_the_last_of_several_answers_counts() -> None:
    """What followed the first filler was one, too: the agent worked and was silent again."""
    words = Ear(HEARD - BACK, HEARD + 90)
    assert found(words, True, False, then=100) == HEARD - BACK
    words = Ear(HEARD - BACK, HEARD + 90)
    assert found(words, True, True, True, then=100) == HEARD + 90


def test_at_the_beginning_of_a_stream_all_of_it_counts() -> None:
    """There are no windows before the first."""
    assert found(Ear(2, windows=BACK - 10), True) == 2
