"""The caller's end of the line: what is quiet on it, and what ends a wait."""

import asyncio
import time
from typing import Any
from unittest.mock import AsyncMock, Mock, call

import pytest

from exporter.probes.latency.listening import DisturbedError, Listening, first_sound
from exporter.rtc.onset import RECENT_WINDOWS
from tests import virtual_time
from tests.virtual_time import Clock

QUIET, VOICE = -90.0, -18.0


def listening(*levels: float, state: str = "listening", disturbance: str = "") -> Listening:
    """Return the end of a line on which that was heard."""
    caller = Mock(state=state)
    caller.disturbance.return_value = disturbance
    caller.follow_sound.return_value = False
    caller.listen = AsyncMock()
    caller.ear.windows = len(levels)
    caller.ear.levels.side_effect = lambda start: list(levels[max(0, start) :])
    caller.ear.hear_more = AsyncMock()
    return Listening(caller, 10.0)


@pytest.mark.parametrize(
    ("levels", "quiet"),
    [
        pytest.param([QUIET] * 100, True, id="half a second"),
        pytest.param([QUIET] * 99, False, id="less was heard at all"),
        pytest.param([VOICE] * 20 + [QUIET] * 100, True, id="since then"),
        pytest.param([VOICE] * 20 + [QUIET] * 94, False, id="six windows less"),
        pytest.param([QUIET] * 150 + [VOICE] * 5 + [QUIET] * 50, True, id="a click"),
        pytest.param([QUIET] * 150 + [VOICE] * 6 + [QUIET] * 50, False, id="a sound"),
        pytest.param([QUIET] * 150 + [-55.0] * 6, False, id="one that is hardly heard"),
        pytest.param([-45.0] * 200, True, id="the noise of the line"),
        pytest.param([QUIET] * 600 + [-45.0] * 600, True, id="noise that came since"),
    ],
)
def test_quiet_for_half_a_second(levels: list[float], quiet: bool) -> None:
    """By what is noise on this line now, and a click does not break silence."""
    assert listening(*levels).quiet_for(0.5) is quiet


def test_the_noise_is_that_of_the_last_seconds() -> None:
    """What was heard before tells nothing of the line as it is."""
    assert listening(*[-70.0] * 90, *[-60.0] * RECENT_WINDOWS).noise() == -60.0
    assert listening(*[-70.0] * (RECENT_WINDOWS // 10), *[-60.0] * 540).noise() == -70.0


def test_the_first_sound_is_looked_for_from_the_beginning() -> None:
    """Its window is counted from there, or from where one is told to begin."""
    heard = [VOICE, *[QUIET] * 49, *[VOICE] * 9, *[QUIET] * 50, *[VOICE] * 9]
    assert listening(*heard).first_sound() == 50
    assert listening(*[QUIET] * 50).first_sound() is None
    assert first_sound(heard, -55.0, 1000) == 1050


@pytest.mark.parametrize(
    ("state", "listens"),
    [("listening", True), ("", True), ("speaking", False), ("thinking", False)],
)
def test_an_agent_without_a_state_may_listen(state: str, listens: bool) -> None:
    """One that tells what it does listens only when it says so."""
    assert listening(state=state).listens() is listens


def test_a_wait_takes_its_time_whatever_changes() -> None:
    """It goes on for what is left, and not at all for a time that is over."""

    async def story(clock: Clock) -> tuple[float, list[float]]:
        line, asked = listening(), list[float]()
        caller: Any = line.caller

        async def change(seconds: float) -> None:
            asked.append(round(seconds, 6))
            await asyncio.sleep(min(seconds, 2.0))

        caller.sleep_until_change = change
        began = clock()
        await line.wait(5.0)
        await line.wait(0.0)
        await line.wait(-1.0)
        return clock() - began, asked

    assert virtual_time.run(story) == (5.0, [5.0, 3.0, 1.0])


def test_a_line_that_breaks_ends_a_wait() -> None:
    """With what broke."""
    line = listening(disturbance="replaced")
    caller: Any = line.caller
    caller.sleep_until_change = AsyncMock()
    for waits in (line.wait(9.0), line.hear_more(1.0)):
        with pytest.raises(DisturbedError, match="replaced"):
            asyncio.run(waits)


def test_an_agent_that_changes_its_track_disturbs() -> None:
    """What was heard on the other one is of another voice."""
    line = listening()
    caller: Any = line.caller
    caller.follow_sound.return_value = True
    with pytest.raises(DisturbedError, match="another of its tracks"):
        asyncio.run(line.hear_more(7.0))
    assert caller.ear.hear_more.call_args == call(7.0)


@pytest.mark.parametrize("disturbance", ["", "replaced"])
def test_a_line_that_broke_is_heard_anew(disturbance: str) -> None:
    """Within the time for a track; in either case what comes belongs to a new turn."""
    line = listening(disturbance=disturbance)
    asyncio.run(line.mend())
    caller: Any = line.caller
    assert caller.listen.call_args_list == ([call(10.0)] if disturbance else [])
    assert caller.turn_begins.call_count == 1


def test_a_line_without_a_track_has_no_ear() -> None:
    """That is a fault of the prober, and says what it is."""
    line = listening()
    caller: Any = line.caller
    caller.ear = None
    with pytest.raises(RuntimeError, match="the caller receives no audio"):
        line.noise()


@pytest.mark.parametrize(
    ("state", "levels", "disturbance", "mended", "took_s"),
    [
        pytest.param("listening", [QUIET] * 100, "", 0, 0.0, id="it is quiet"),
        pytest.param("speaking", [QUIET] * 100, "", 0, 3.0, id="it says that it speaks"),
        pytest.param("listening", [VOICE] * 100, "", 0, 3.0, id="it sounds"),
        pytest.param("listening", [QUIET] * 100, "replaced", 3, 3.0, id="the line breaks"),
    ],
)
def test_settling(
    state: str, levels: list[float], disturbance: str, mended: int, took_s: float
) -> None:
    """Until the agent listens in silence, or the time is over; a broken line is mended."""

    async def story(clock: Clock) -> tuple[float, int]:
        line = listening(*([QUIET] * 50), *levels, state=state, disturbance=disturbance)

        async def pass_s(*_: object) -> None:
            await asyncio.sleep(1.0)

        caller: Any = line.caller
        caller.ear.hear_more = pass_s
        caller.listen = AsyncMock(side_effect=pass_s)
        began = clock()
        await line.settle(0.5, time.monotonic() + 3.0)
        return clock() - began, caller.listen.call_count

    assert virtual_time.run(story) == (took_s, mended)
