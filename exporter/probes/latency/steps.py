"""The turns of a call, or the steps of its script, one after the other until the call may end."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from exporter.errors import ProbeError
from exporter.evidence.kept import TurnMark
from exporter.outcome import CallResult, Expectation, ExpectationOutcome, Reason, Turn, TurnOutcome
from exporter.probe import Run
from exporter.probes.latency.conversation import Conversation
from exporter.probes.latency.quality import Replies
from exporter.probes.latency.spec import LatencyConfig
from exporter.rtc.caller import Caller
from exporter.rtc.levels import Pcm
from exporter.stats import Stats

STOPPED = "stop_at ended the call before"


@dataclass(slots=True)
class Record:
    """What a call has brought so far; it outlives whatever ends the call."""

    result: CallResult
    replies: Replies = field(default_factory=Replies)
    """To be scored when the call is over; none are kept unless the target asks for it."""
    on_mark: Callable[[TurnMark], None] = lambda _mark: None
    """Called with where each turn lies."""
    stopped: bool = False
    """It was ended by `stop_at`: that nothing was timed is nobody's fault."""


class Steps:
    """Takes the turns of one call, in which the agent is there and can be heard.

    Args:
        config: Of the target.
        run: Of which the call is a part.
        caller: Who calls.
        record: Takes what comes of each turn.
        conversation: In which the turns are taken.
    """

    def __init__(
        self,
        config: LatencyConfig,
        run: Run,
        caller: Caller,
        record: Record,
        conversation: Conversation,
    ) -> None:
        self._config = config
        self._run = run
        self._caller = caller
        self._record = record
        self._conversation = conversation
        self._inside = 0.0
        self._followed = False
        self._step = 0
        """The step of the script that is under way; 0 between two."""

    async def take(self, inside: float) -> None:
        """Wait for the greeting, then take all turns.

        Args:
            inside: When the caller was in the room, on the monotonic clock.

        Raises:
            ProbeError: Why the call ended early.
        """
        self._inside = inside
        greeted = await self._conversation.greeting()
        if greeted is not None:
            self._greeted(greeted - inside)
        self._note_scene()
        await self._talk()

    def _greeted(self, after_s: float) -> None:
        self._record.result = replace(self._record.result, time_to_greeting_s=after_s)
        self._run.log(f"greeting after {after_s:.3f} s")

    async def _talk(self) -> None:
        """Take the turns; with `stop_at`, only until somebody joins whom the script expects.

        Raises:
            ProbeError: Why the call ended early; unexpected_answer where the step that was under
                way does not expect whoever joined.
        """
        if not self._config.stops_at:
            await self._take_turns()
            return
        turns = asyncio.ensure_future(self._take_turns())
        stop = asyncio.ensure_future(self._caller.coming(self._config.stops_at).wait())
        try:
            await asyncio.wait((turns, stop), return_when=asyncio.FIRST_COMPLETED)
            if turns.done():
                await turns
                return
        finally:
            for each in (turns, stop):
                each.cancel()
            await asyncio.gather(turns, stop, return_exceptions=True)
        self._run.log("somebody joined: the call ends, as stop_at says")
        self._record.stopped = True
        if number := self._step:
            expect = self._config.script[number - 1].expect
            found = self._conversation.met(number, expect, spoiled=STOPPED)
            self._note(found)
            if not any(each.kind == "joins" and _is_met(each) for each in found):
                detail = f"step {number}: somebody joined too early"
                raise ProbeError(Reason.UNEXPECTED_ANSWER, detail)

    async def _take_turns(self) -> None:
        count, warming_up = self._config.turns, self._config.warms_up
        number, left, began = 0, self._config.measured, self._run.clock()
        while number < count if self._config.script else left > 0:
            if number and not await self._asks_again(began, number):
                return
            await self._between()
            number += 1
            self._step = number if self._config.script else 0
            voices = self._caller.voices
            turn, ended = await self._turn(is_first=number == 1)
            turn = self._conversation.explained(turn)
            # At the end as well: in a hand-over both may be there for a moment.
            agents = max(self._record.result.agents, min(voices, self._caller.voices))
            self._record.result = replace(self._record.result, agents=agents)
            if ended is not None and self._may_end(ended):
                self._run.log(f"the agent ended the call: {ended.detail}")
                await self._expect()
                return
            # A turn without a reply settles no buffers: it is one of the trials, and the next one
            # may be the warm-up.
            turn = replace(turn, warmup=warming_up and turn.outcome is not TurnOutcome.FAILED)
            warming_up = warming_up and not turn.warmup
            left -= not turn.warmup
            self._add(turn, self._conversation.heard)
            self._note_scene()
            self._record.on_mark(self._conversation.mark(turn))
            self._run.log(_line(number, count, turn))
            self._run.on_turn(turn)
            await self._expect()
            if ended is not None:
                raise ended

    async def _asks_again(self, began: float, number: int) -> bool:
        """Wait for the time of the next utterance of a long call; False when it is over."""
        long = self._config.endurance
        if long is None:
            return True
        due = max(self._run.clock(), began + number * long.ask_every)
        if due >= began + long.length:
            return False
        await asyncio.sleep(max(0.0, due - self._run.clock()))
        return True

    async def _between(self) -> None:
        """Do what the scenario does between two turns: nothing of it is in either."""
        broken = len(self._record.result.reconnects)
        try:
            await self._conversation.scene.between(self._record.result.turns)
        finally:
            self._note_scene()
            for each in self._record.result.reconnects[broken:]:
                self._run.log(str(each))

    async def _first_turn(self) -> Turn:
        """Take the first turn; once more where a late greeting began during our utterance."""
        turn = await self._conversation.turn()
        if turn.reason is not Reason.NO_REPLY:
            return turn
        late = await self._conversation.late_greeting()
        if late is None:
            return turn
        if not self._followed:
            self._greeted(late - self._inside)
        self._run.log("late greeting: it began during the caller's utterance; once more")
        return await self._conversation.turn()

    async def _turn(self, *, is_first: bool) -> tuple[Turn, ProbeError | None]:
        """Take one turn, and return with what the call ended in it, if it did."""
        try:
            if is_first:
                return await self._first_turn(), None
            return await self._conversation.turn(), None
        except ProbeError as error:
            ended = error
        try:
            if ended.reason is Reason.AGENT_LEFT and await self._goes_on():
                return await self._turn(is_first=True)
        except ProbeError as error:
            ended = error
        return Turn.without_reply(ended.reason, ended.detail), ended

    async def _goes_on(self) -> bool:
        """Meet the agent to which ours has handed over: what was said is then said again."""
        if not self._config.follow or self._followed:
            return False
        self._followed = True
        if not await self._caller.follow(self._config.join_timeout):
            return False
        self._run.log("another agent takes over")
        self._conversation.hand_over()
        await self._caller.listen(self._config.track_timeout)
        await self._conversation.greeting()
        return True

    def _may_end(self, ended: ProbeError) -> bool:
        """Tell whether the end of the call is the agent's, and no failure."""
        by_agent = ended.reason in (Reason.AGENT_LEFT, Reason.ROOM_CLOSED) and self._caller.hung_up
        may = self._config.may_end and Stats.of(self._record.result.turns).n > 0
        asked = self._step > 0 and self._conversation.said
        should = asked and self._config.script[self._step - 1].expect.leaves
        return by_agent and (may or should)

    def _add(self, turn: Turn, heard: Pcm | None) -> None:
        measured = turn.reply is not None and not turn.warmup
        if self._config.sound.mos and measured and heard is not None:
            self._record.replies.keep(len(self._record.result.turns), heard)
        self._record.result = replace(self._record.result, turns=(*self._record.result.turns, turn))

    async def _expect(self) -> None:
        """See what became of what the step expects, once its turn was taken."""
        if number := self._step:
            expect = self._config.script[number - 1].expect
            self._note(await self._conversation.expected(number, expect))

    def _note_scene(self) -> None:
        """Keep what has come of the scenario."""
        before, self._record.result = (
            self._record.result,
            self._conversation.scene.noted(self._record.result),
        )
        for each in self._record.result.turn_taking[len(before.turn_taking) :]:
            self._run.log(str(each))

    def _note(self, found: tuple[Expectation, ...]) -> None:
        """Keep what became of the expectations of a step."""
        self._step = 0
        self._record.result = replace(
            self._record.result, expectations=(*self._record.result.expectations, *found)
        )
        for each in found:
            self._run.log(str(each))


def _is_met(expectation: Expectation) -> bool:
    return expectation.outcome is ExpectationOutcome.MET


def _line(number: int, count: int, turn: Turn) -> str:
    what = f"{turn.reason}: {turn.detail}"
    if turn.answered_s is not None:
        filler = f", a filler after {turn.e2e_s:.3f} s" if turn.time_to_answer_s else ""
        what = f"{turn.answered_s:.3f} s{filler}"
    return f"turn {number}/{count} {turn.outcome}{' (warm-up)' if turn.warmup else ''} {what}"
