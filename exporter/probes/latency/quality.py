"""What listeners would say of the replies of a call, estimated once nothing is timed any more."""

import asyncio
from dataclasses import replace

from exporter.outcome import CallResult, Mos, Turn
from exporter.probe import Run
from exporter.probes.latency.sound import MOST_SCORED, SCORE_S
from exporter.rtc.levels import Pcm
from exporter.rtc.mos import mos


class Replies:
    """The audio of the replies of one call that are to be scored; 3.4 MB each at most."""

    def __init__(self) -> None:
        self._kept: list[tuple[int, Pcm]] = []

    def keep(self, number: int, heard: Pcm) -> None:
        """Keep what was heard of the turn of that number in the call, if there is room for it."""
        if len(self._kept) < MOST_SCORED:
            self._kept.append((number, heard))

    async def scored(self, call: CallResult, run: Run) -> CallResult:
        """Return the call with the scores of what was kept.

        What goes wrong is logged, and takes nothing from what was measured. A score is begun only
        with twice its time left: who passes the deadline loses the call.
        """
        turns = list(call.turns)
        for done, (number, heard) in enumerate(self._kept):
            if run.left() < 2 * SCORE_S:
                run.log(f"{len(self._kept) - done} replies not scored: too little time is left")
                break
            turns[number] = _with_mos(turns[number], _score(heard, run))
            await asyncio.sleep(0)  # who ends the run need not wait for all of them
        return replace(call, turns=tuple(turns))


def _score(heard: Pcm, run: Run) -> Mos | None:
    try:
        return mos(heard)
    except Exception as error:  # noqa: BLE001 - onnxruntime has no class for its errors
        why = (str(error).splitlines() or [""])[0]
        run.log(f"a reply was not scored: {type(error).__name__}: {why}")
        return None


def _with_mos(turn: Turn, found: Mos | None) -> Turn:
    return replace(turn, reply=replace(turn.reply, mos=found)) if turn.reply else turn
