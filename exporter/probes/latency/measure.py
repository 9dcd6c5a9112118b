"""One whole call: a room, a caller, a dispatch, an agent, the turns, and everything left clean."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from livekit import rtc

from exporter.errors import ProbeError
from exporter.outcome import (
    CallResult,
    Expectation,
    ExpectationOutcome,
    Outcome,
    Reason,
    SpeechSeconds,
    Turn,
    TurnOutcome,
)
from exporter.outcome.timeline import CallerSpoke
from exporter.probe import PROBE_ATTRIBUTE, ROOM_PREFIX, Run
from exporter.probes.latency import understood
from exporter.probes.latency.clips import clips_of, in_turn, ready_clips
from exporter.probes.latency.conversation import Conversation, worst_turn
from exporter.probes.latency.quality import Replies
from exporter.probes.latency.spec import CLEANUP_S, CONNECT_TIMEOUT_S, LatencyConfig
from exporter.probes.latency.usage import usage_of
from exporter.rtc.caller import NAMES, Caller
from exporter.rtc.clip import Clip
from exporter.rtc.levels import Pcm
from exporter.rtc.media import media_of
from exporter.rtc.sound import overlap_s, seconds
from exporter.server_api import Server, ServerApi, make_token
from exporter.stats import Stats

STOPPED = "stop_at ended the call before"

MakeCaller = Callable[
    [Callable[[rtc.RemoteParticipant], bool | None], Callable[[str], Awaitable[bool]]], Caller
]
"""Makes a caller from what tells it its agent: `is_agent` and `confirm` of `Caller`."""


class Call:
    """One call in progress; its turns outlive whatever ends it.

    Args:
        config: Of the target.
        run: Of which it is a part.
        api: Of the server that is called.
        make_caller: Makes the participant that calls.
    """

    def __init__(
        self,
        config: LatencyConfig,
        run: Run,
        api: ServerApi,
        make_caller: MakeCaller = Caller,
    ) -> None:
        self._config = config
        self._run = run
        self._api = api
        self._room = config.room_name or f"{ROOM_PREFIX}{run.id}"
        self._made_room = False
        self._dispatch_id = ""
        self._followed = False
        self._step = 0
        """The step of the script that is under way; 0 between two."""
        self._caller = make_caller(self._is_agent, self._was_dispatched)
        self.replies = Replies()
        """To be scored when the call is over; none are kept unless the target asks for it."""
        self.result = CallResult(config.agent_name, config.call_type, config.scenario)

    @property
    def loop_lag_s(self) -> float | None:
        """The largest lateness of the event loop since the caller entered; None before."""
        return self._caller.lag.largest

    async def conduct(self) -> None:
        """Place the call and take all its turns.

        Raises:
            ProbeError: Why it could not be placed, or why it ended early.
        """
        async with self._caller.tasks.alive():
            await self._conduct()

    async def _conduct(self) -> None:
        config, caller = self._config, self._caller
        clips = await self._clips()
        if any(clip.words for clip in clips):
            understood.get_ready()
        asked = time.monotonic()  # the room itself calls an agent that is dispatched by no one
        await self._make_room()
        server, key = self._run.server, self._run.server.e2ee_key if config.e2ee else ""
        inside = await caller.connect(server.url, self._token(), CONNECT_TIMEOUT_S, key)
        self._run.log(f"in room {self._room}")
        if config.dispatch == "explicit":
            asked = time.monotonic()
            await self._dispatch()
        arrived = await caller.meet(config.join_timeout, with_voice=config.dispatch == "automatic")
        if arrived is None:
            raise await self._nobody_came()
        self._met(asked)
        await caller.listen(config.track_timeout)
        if caller.arrived != arrived:  # only another agent has a voice
            self._met(asked)
        conversation = Conversation(caller, config, clips)
        greeted = await conversation.greeting()
        if greeted is not None:
            self._greeted(greeted - inside)
        await self._talk(conversation, inside)

    async def _clips(self) -> tuple[Clip, ...]:
        config = self._config
        if config.script:
            return await clips_of(config.script)
        return in_turn(await ready_clips(config.says), self._run.started_at, config)

    async def hang_up(self) -> None:
        """Leave the room, then delete it if it is ours; log what fails."""
        media = await media_of(self._caller.room)
        await self._caller.leave()
        self.result = replace(
            self._with_speech(),
            split_absent=self._why_no_split(),
            media=media,
            usage=usage_of(self._caller.events.timeline),
        )
        if not self._made_room:
            return
        try:
            await self._api.delete_room(self._room)
        except ProbeError as error:
            self._run.log(f"room {self._room} not deleted: {error}")

    def _with_speech(self) -> CallResult:
        """Return the result with how long each side was heard."""
        if not self._caller.heard:
            return self.result
        heard = [span for ear in self._caller.heard for span in ear.sounds()]
        said = [(each.at, each.until) for each in self._caller.events.timeline.of(CallerSpoke)]
        return replace(
            self.result,
            speech_s=SpeechSeconds(seconds(said), seconds(heard)),
            overlap_s=overlap_s(said, heard),
        )

    async def _make_room(self) -> None:
        if self._config.room_name and await self._api.list_rooms([self._room]):
            detail = f"room {self._room} already exists; a probe needs a new one"
            raise ProbeError(Reason.API_FAILED, detail)
        self._run.on_room(self._room)
        await self._api.create_room(self._room, metadata=self._config.room.metadata)
        self._made_room = True

    def _token(self) -> str:
        caller = self._config.caller
        # A room that has a name of its own is known as a probe's by who is in it.
        mark = {PROBE_ATTRIBUTE: "true"} if self._config.room_name else {}
        return make_token(
            self._run.server,
            identity=caller.identity or f"caller-{secrets.token_hex(4)}",
            room=self._room,
            name=caller.name,
            metadata=caller.metadata,
            attributes={**caller.attributes, **mark},
            kind=caller.kind,
        )

    async def _dispatch(self) -> None:
        config = self._config
        try:
            made = await self._api.create_dispatch(self._room, config.agent_name, config.metadata)
            self._dispatch_id = made.id
        except ProbeError as error:
            if error.reason is not Reason.API_FAILED:
                raise
            raise ProbeError(Reason.DISPATCH_FAILED, error.detail) from error

    def _is_agent(self, participant: rtc.RemoteParticipant) -> bool | None:
        if self._config.dispatch == "automatic":
            return True
        names = {participant.attributes[key] for key in NAMES if participant.attributes.get(key)}
        return self._config.agent_name in names if names else None

    async def _was_dispatched(self, identity: str) -> bool:
        """Ask the server whether that participant is the job of our dispatch."""
        return identity in await self._dispatched()

    async def _dispatched(self) -> tuple[str, ...]:
        wanted = "" if self._config.dispatch == "automatic" else self._config.agent_name
        dispatches = await self._api.list_dispatch(self._room)
        ours = [each for each in dispatches if each.agent_name == wanted]
        return tuple(identity for each in ours for identity in each.identities)

    async def _nobody_came(self) -> ProbeError:
        """Say whether a worker took the job, and take the dispatch back.

        An agent that comes when we are gone would open the room again, and stay in it.
        """
        taken = await self._dispatched()
        if self._dispatch_id:
            try:
                await self._api.delete_dispatch(self._room, self._dispatch_id)
            except ProbeError as error:  # why nobody came is more
                self._run.log(f"dispatch not deleted: {error}")
        waited = self._config.join_timeout
        if taken:
            detail = f"a worker accepted the job, but no agent joined within {waited:g} s"
            return ProbeError(Reason.JOIN_TIMEOUT, detail)
        who = f"no worker named {self._config.agent_name!r}"
        if self._config.dispatch == "automatic":
            who = "no worker without a name"
        return ProbeError(Reason.NO_WORKER, f"{who} accepted the job within {waited:g} s")

    def _met(self, asked: float) -> None:
        if self._caller.was_there:
            self.result = replace(self.result, time_to_agent_s=None)
            self._run.log("the agent was in the room before the caller")
            return
        after_s = self._caller.arrived - asked
        self.result = replace(self.result, time_to_agent_s=after_s)
        self._run.log(f"agent in the room {after_s:.3f} s after the dispatch")

    def _greeted(self, after_s: float) -> None:
        self.result = replace(self.result, time_to_greeting_s=after_s)
        self._run.log(f"greeting after {after_s:.3f} s")

    async def _first_turn(self, conversation: Conversation, inside: float) -> Turn:
        """Take the first turn; once more where a late greeting began during our utterance."""
        turn = await conversation.turn()
        if turn.reason is not Reason.NO_REPLY:
            return turn
        late = await conversation.late_greeting()
        if late is None:
            return turn
        if not self._followed:
            self._greeted(late - inside)
        self._run.log("late greeting: it began during the caller's utterance; once more")
        return await conversation.turn()

    async def _talk(self, conversation: Conversation, inside: float) -> None:
        """Take the turns; with `stop_at`, only until somebody joins whom the script expects."""
        if not self._config.stops_at:
            await self._take_turns(conversation, inside)
            return
        turns = asyncio.ensure_future(self._take_turns(conversation, inside))
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
        if self._step:
            expect = self._config.script[self._step - 1].expect
            self._note(conversation.met(self._step, expect, spoiled=STOPPED))

    async def _take_turns(self, conversation: Conversation, inside: float) -> None:
        count, warming_up = self._config.most[0], self._config.warms_up
        number, left = 0, self._config.measured
        while number < count if self._config.script else left > 0:
            number += 1
            self._step = number if self._config.script else 0
            voices = self._caller.voices
            turn, ended = await self._turn(conversation, inside, is_first=number == 1)
            turn = conversation.explained(turn)
            # At the end as well: in a hand-over both may be there for a moment.
            agents = max(self.result.agents, min(voices, self._caller.voices))
            self.result = replace(self.result, agents=agents)
            if ended is not None and self._may_end(ended):
                self._run.log(f"the agent ended the call: {ended.detail}")
                await self._expect(conversation, turn)
                return
            # A turn without a reply settles no buffers: it is one of the trials, and the next one
            # may be the warm-up.
            turn = replace(turn, warmup=warming_up and turn.outcome is not TurnOutcome.FAILED)
            warming_up = warming_up and not turn.warmup
            left -= not turn.warmup
            self._add(turn, conversation.heard)
            self._run.log(_line(number, count, turn))
            self._run.on_turn(turn)
            await self._expect(conversation, turn)
            if ended is not None:
                raise ended

    def _add(self, turn: Turn, heard: Pcm | None) -> None:
        measured = turn.reply is not None and not turn.warmup
        if self._config.sound.mos and measured and heard is not None:
            self.replies.keep(len(self.result.turns), heard)
        self.result = replace(self.result, turns=(*self.result.turns, turn))

    async def _expect(self, conversation: Conversation, turn: Turn) -> None:
        """See what became of what the step expects, once its turn was taken."""
        if number := self._step:
            expect = self._config.script[number - 1].expect
            self._note(await conversation.expected(number, expect, turn))

    def _note(self, found: tuple[Expectation, ...]) -> None:
        """Keep what became of the expectations of a step."""
        self._step = 0
        self.result = replace(self.result, expectations=(*self.result.expectations, *found))
        for each in found:
            self._run.log(str(each))

    async def _turn(
        self, conversation: Conversation, inside: float, *, is_first: bool
    ) -> tuple[Turn, ProbeError | None]:
        """Take one turn, and return with what the call ended in it, if it did."""
        try:
            if is_first:
                return await self._first_turn(conversation, inside), None
            return await conversation.turn(), None
        except ProbeError as error:
            ended = error
        try:
            if ended.reason is Reason.AGENT_LEFT and await self._goes_on(conversation):
                return await self._turn(conversation, inside, is_first=True)
        except ProbeError as error:
            ended = error
        return Turn.without_reply(ended.reason, ended.detail), ended

    async def _goes_on(self, conversation: Conversation) -> bool:
        """Meet the agent to which ours has handed over: what was said is then said again."""
        if not self._config.follow or self._followed:
            return False
        self._followed = True
        if not await self._caller.follow(self._config.join_timeout):
            return False
        self._run.log("another agent takes over")
        conversation.hand_over()
        await self._caller.listen(self._config.track_timeout)
        await conversation.greeting()
        return True

    def _may_end(self, ended: ProbeError) -> bool:
        """Tell whether the end of the call is the agent's, and no failure."""
        by_agent = ended.reason in (Reason.AGENT_LEFT, Reason.ROOM_CLOSED) and self._caller.hung_up
        may = self._config.may_end and Stats.of(self.result.turns).n > 0
        should = self._step > 0 and self._config.script[self._step - 1].expect.leaves
        return by_agent and (may or should)

    def _why_no_split(self) -> str:
        if any(turn.components.llm_s is not None for turn in self.result.turns):
            return ""
        replied = any(turn.outcome is TurnOutcome.REPLIED for turn in self.result.turns)
        return self._caller.events.why_absent() if replied else ""


async def place_call(
    config: LatencyConfig,
    run: Run,
    *,
    open_api: Callable[[Server], ServerApi] = ServerApi,
    make_caller: MakeCaller = Caller,
) -> Outcome:
    """Place one call and return its turns, whatever ends it; the room is left and deleted."""
    async with open_api(run.server) as api:
        call = Call(config, run, api, make_caller)
        try:
            ended = await run.within_deadline(
                call.conduct(), CLEANUP_S + config.sound.scoring_s(config.measured)
            )
        finally:
            await call.hang_up()
    reason, detail = _worst(call.result)
    # A turn that failed says more than the deadline that it led to.
    if ended is not None and ended.reason is Reason.DEADLINE and reason not in (None, Reason.VOID):
        ended = None
    outcome = run.outcome(
        "latency",
        config.agent_name,
        ended=ended,
        reason=reason,
        detail=detail,
        loop_lag_s=call.loop_lag_s,
    )
    # What the call took, which is what it costs, is known by now: scoring is no part of it.
    result = await call.replies.scored(call.result, run)
    return replace(outcome, result=result, log=tuple(run.lines))


def _worst(result: CallResult) -> tuple[Reason | None, str]:
    """Return why a call failed that came to its end: a turn, or what was missed in a dialogue."""
    reason, detail = worst_turn(result.turns)
    if reason not in (None, Reason.VOID):
        return reason, detail
    if missed := result.expected(ExpectationOutcome.MISSED):
        return Reason.UNEXPECTED_ANSWER, "; ".join(map(str, missed))
    return (None, "") if result.needs_no_latency else (reason, detail)


def _line(number: int, count: int, turn: Turn) -> str:
    what = f"{turn.reason}: {turn.detail}"
    if turn.answered_s is not None:
        filler = f", a filler after {turn.e2e_s:.3f} s" if turn.time_to_answer_s else ""
        what = f"{turn.answered_s:.3f} s{filler}"
    return f"turn {number}/{count} {turn.outcome}{' (warm-up)' if turn.warmup else ''} {what}"
