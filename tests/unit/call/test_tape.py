"""Where sound lies on the tape, however late this process took it: on the virtual clock."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import numpy as np
import pytest

from exporter.rtc.hearing import Hearing
from exporter.rtc.levels import RATE, Pcm
from exporter.rtc.sample_clock import FRAME_MS, PIECE
from exporter.rtc.tape import HOLD_S, Tape
from tests import virtual_time
from tests.virtual_time import Clock

FRAME = RATE * FRAME_MS // 1000
CLICK_S, REPLY_S, LENGTH_S = 3.0, 3.4, 7.0
NEAR_S = 0.001
Lateness = Callable[[float], float]
"""Of the frame that is due then."""


def stream() -> Pcm:
    """Return silence with a click and a reply in it."""
    pcm = np.zeros(round(LENGTH_S * RATE), np.int16)
    pcm[round(CLICK_S * RATE) :][:240] = 20_000
    pcm[round(REPLY_S * RATE) :][: RATE // 2] = 20_000
    return pcm


def onsets(late: Lateness, still_s: float) -> tuple[float, float]:
    """Return where click and reply lie on the tape of a process that is late.

    Args:
        late: How late it takes each frame; a frame never overtakes another.
        still_s: So long the stream itself stands still between the two.
    """

    async def story(clock: Clock) -> Pcm:
        began, sound = clock(), stream()

        async def frames() -> AsyncIterator[Pcm]:
            for place in range(0, len(sound), FRAME):
                second = (place + FRAME - PIECE) / RATE
                due = began + second + (still_s if second > (CLICK_S + REPLY_S) / 2 else 0.0)
                await asyncio.sleep(max(0.0, due + late(second) - time.monotonic()))
                yield sound[place : place + FRAME]

        tape, taken = Tape(began), []
        ear = Hearing(frames())
        ear.on_frame = tape.heard
        while not ear.task.done():
            await asyncio.sleep(0.5)
            taken.append(tape.take(clock() - HOLD_S))
        taken.append(tape.take())
        return np.concatenate(taken)[:, 1]

    loud = np.flatnonzero(virtual_time.run(story))
    reply = int(loud[np.flatnonzero(np.diff(loud) > RATE // 10)[0] + 1])
    return int(loud[0]) / RATE, reply / RATE


def never(_second: float) -> float:
    """Be in time."""
    return 0.0


def between(second: float) -> float:
    """Be late between click and reply."""
    return 0.08 if 3.1 < second < 3.3 else 0.0


@pytest.mark.parametrize(
    ("late", "still_s"),
    [
        pytest.param(never, 0.0, id="never"),
        pytest.param(never, 0.06, id="never, and the stream stands still"),
        pytest.param(between, 0.0, id="between"),
        pytest.param(between, 0.06, id="as it stands"),
        pytest.param(lambda second: 0.3 if 2.9 < second < 3.1 else 0.0, 0.0, id="at the click"),
        pytest.param(lambda second: 0.015 * (second % 0.2 < 0.1), 0.06, id="now and then"),
    ],
)
def test_a_late_process_moves_no_sound(late: Lateness, still_s: float) -> None:
    """A stream that stands still, as when its jitter buffer grows, moves what comes after it.

    Only where this process is late by much in the very half second in which that happens, nothing
    says which of the two it was; such a turn is void.
    """
    click, reply = onsets(late, still_s)
    assert click == pytest.approx(CLICK_S, abs=NEAR_S)
    assert reply == pytest.approx(REPLY_S + still_s, abs=NEAR_S)
