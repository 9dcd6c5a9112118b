"""Where a reply begins: in which window, after whose silence, and until when."""

import asyncio
import time
from unittest.mock import Mock

import numpy as np
import pytest

from exporter.outcome.timeline import CallerSpoke
from exporter.probes.latency.reply import CATCH_UP_S, AwaitedReply, Habits
from exporter.probes.latency.speaking import Said
from exporter.rtc.clip import Clip
from exporter.rtc.levels import WINDOW_S
from tests import virtual_time
from tests.virtual_time import START_S, Clock

END = 200
"""The window in which the caller's speech ends: a second after the stream began."""
FIRST = END + 8
"""The first in which a reply can begin."""
TIMEOUT_S, LAST = 2.0, END + 400
FRAME = 10
"""Windows that are delivered together."""
WORD = 20
QUIET, VOICE, THRESHOLD = -90.0, -18.0, -50.0
CLIP = Clip(np.zeros(48_000, np.int16), 0, 48_000, 0.0, "how much is it")
SAID = Said(
    START_S,
    CallerSpoke(at=START_S, until=START_S + END * WINDOW_S),
    THRESHOLD,
    None,
    CLIP,
    torn=False,
)


class Line:
    """Hears silence, but for these spans of windows; time passes while it listens."""

    def __init__(self, *sounds: tuple[int, int], state: str = "listening") -> None:
        self.ear = self
        self.caller = Mock(state=state)
        self.caller.lag.worst.return_value = 0.0
        self.windows = END
        self.stalls = False
        self._loud = {at for first, last in sounds for at in range(first, last)}

    def window_at(self, when: float) -> int:
        """Return the window that is delivered then."""
        return round((when - START_S) / WINDOW_S)

    def levels(self, start: int, end: int) -> list[float]:
        """Return what was heard so far of those windows."""
        return [
            THRESHOLD if at in self._loud else QUIET for at in range(start, min(end, self.windows))
        ]

    async def hear_more(self, deadline: float) -> None:
        """Wait for the next frame, or for the deadline."""
        assert deadline > time.monotonic(), "it waits for what is over"
        await asyncio.sleep(min(FRAME * WINDOW_S, deadline - time.monotonic()))
        if not self.stalls:
            self.windows += FRAME


def onset(line: Line, *, passed_s: float = 0.0) -> tuple[int | None, float]:
    """Return where the reply begins, and the time from the end of the caller's speech till then.

    Args:
        line: On which it comes.
        passed_s: Since the end of the caller's speech, when the wait begins.
    """

    async def story(clock: Clock) -> tuple[int | None, float]:
        clock.advance(END * WINDOW_S + passed_s)
        awaited = AwaitedReply(line, Habits(), TIMEOUT_S)  # type: ignore[arg-type] # it has what is used
        found = await awaited.onset(SAID)
        return found, time.monotonic() - START_S - END * WINDOW_S

    return virtual_time.run(story)


@pytest.mark.parametrize(
    ("sounds", "state", "expected"),
    [
        pytest.param([(300, 320)], "listening", 300, id="a reply"),
        pytest.param([(FIRST, FIRST + 6)], "listening", FIRST, id="as soon as it can be one"),
        pytest.param([(LAST - 6, LAST)], "listening", LAST - 6, id="in the last moment"),
        pytest.param([(LAST - 5, LAST + 9)], "listening", None, id="hardly heard in time"),
        pytest.param([], "listening", None, id="silence"),
        pytest.param([(END - 9, END), (300, 320)], "speaking", 300, id="it ends with the caller"),
        pytest.param([(END, 240), (300, 320)], "listening", 300, id="after a talk-over"),
        pytest.param([(FIRST - 1, 240), (300, 320)], "listening", 300, id="one window of it"),
        pytest.param([(END, 240), (280, 320)], "listening", 280, id="200 ms after a talk-over"),
        pytest.param([(END, 240), (279, 320)], "listening", None, id="195 ms after it"),
        pytest.param([(END, 240), (279, 320), (370, 390)], "listening", 370, id="and then more"),
        pytest.param([(END, 240), (300, 320)], "speaking", None, id="it speaks on"),
        pytest.param([(END, 240), (440, 460)], "", 440, id="no state, a second of silence"),
        pytest.param([(END, 240), (439, 460)], "", None, id="no state, less than a second"),
    ],
)
def test_the_reply_begins(sounds: list[tuple[int, int]], state: str, expected: int | None) -> None:
    """With its first window; of an agent that talked over the caller, after it has stopped."""
    assert onset(Line(*sounds, state=state))[0] == expected


def test_a_reply_is_known_as_soon_as_it_is_heard() -> None:
    """In the frame that has its sixth window."""
    found, after_s = onset(Line((300, 320)))
    assert found == 300
    assert after_s == pytest.approx((310 - END) * WINDOW_S)


def test_silence_is_known_when_the_time_for_a_reply_is_over() -> None:
    """Once all of its windows were heard, and a frame more at most."""
    found, after_s = onset(Line())
    assert found is None
    assert after_s == pytest.approx(TIMEOUT_S, abs=FRAME * WINDOW_S + 1e-6)


def test_what_was_heard_during_an_rpc_counts() -> None:
    """It took longer than the time for a reply; all of that is looked at."""
    line = Line((300, 320))
    line.windows = 700
    found, after_s = onset(line, passed_s=2.5)
    assert found == 300
    assert after_s == pytest.approx(2.5)


def test_frames_that_stop_are_waited_for_a_second_longer() -> None:
    """A loop that was late may not have read them; one that was not has heard all there is."""
    line = Line()
    line.stalls = True
    found, after_s = onset(line)
    assert found is None
    assert after_s == pytest.approx(TIMEOUT_S + CATCH_UP_S)
    asked = line.caller.lag.worst.call_args.args
    assert asked[1] - asked[0] == CATCH_UP_S


def test_a_loop_that_was_late_reads_on() -> None:
    """By more than 20 ms: what came meanwhile is still to be read, window by window."""
    line = Line((300, 320))
    line.stalls, waits = True, 0

    def late(_since: float, _until: float) -> float:
        nonlocal waits
        waits += 1
        line.stalls = waits < 3
        return 0.021

    line.caller.lag.worst.side_effect = late
    found, after_s = onset(line)
    assert found == 300
    assert after_s > TIMEOUT_S + CATCH_UP_S
    line = Line((300, 320))
    line.stalls, line.caller.lag.worst.return_value = True, 0.020
    found, after_s = onset(line)
    assert found is None
    assert after_s == pytest.approx(TIMEOUT_S + CATCH_UP_S)


def test_another_agent_has_other_habits() -> None:
    """Nothing is known of it."""
    habits = Habits(greeted=True, says_answers=True, answers_follow=True)
    habits.forget()
    assert habits == Habits()
