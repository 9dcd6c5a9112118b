"""One whole call: a room, a caller, a dispatch, an agent, and everything left clean."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from livekit import rtc

from exporter.errors import ProbeError
from exporter.evidence.recording import Recording
from exporter.outcome import (
    CallResult,
    ExpectationOutcome,
    Outcome,
    Reason,
    SpeechSeconds,
    TurnOutcome,
)
from exporter.outcome.timeline import CallerSpoke
from exporter.probe import Run
from exporter.probes.latency import understood
from exporter.probes.latency.breaks import breaks_of
from exporter.probes.latency.clips import clips_of, in_turn, ready_clips
from exporter.probes.latency.conversation import Conversation, worst_turn
from exporter.probes.latency.deadline import CLEANUP_S, CONNECT_TIMEOUT_S
from exporter.probes.latency.relaying import blamed, start_relay, told
from exporter.probes.latency.room import CallRoom
from exporter.probes.latency.scenarios.kinds import sound_of, utterance_of
from exporter.probes.latency.spec import LatencyConfig
from exporter.probes.latency.steps import Record, Steps
from exporter.probes.latency.usage import usage_of
from exporter.probes.latency.way_in.fetch import Entrance, FetchToken, fetch_for
from exporter.rtc.bad_line import BadLine
from exporter.rtc.caller import Caller
from exporter.rtc.clip import Clip, built_in_clip
from exporter.rtc.media import media_of
from exporter.rtc.relay.relay import Relay
from exporter.rtc.sound import overlap_s, seconds
from exporter.server_api import Server, ServerApi

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
        fetch: Fetches its token, where the target has an endpoint for that.
    """

    def __init__(
        self,
        config: LatencyConfig,
        run: Run,
        api: ServerApi,
        make_caller: MakeCaller = Caller,
        fetch: FetchToken = fetch_for,
    ) -> None:
        self._config = config
        self._run = run
        self._relay: Relay | None = None
        self._record = Record(CallResult(*config.key, sending=config.line.sending))
        self._room = CallRoom(config, run, api, self._record, fetch)
        self._caller = make_caller(self._room.is_agent, self._room.was_dispatched)
        self._recording: Recording | None = None
        if run.keep is not None:
            self._recording = Recording(run, run.keep, self._caller.events.timeline)
            self._record.on_mark = self._recording.mark

    @property
    def result(self) -> CallResult:
        """What the call has brought so far."""
        return self._record.result

    async def scored(self) -> CallResult:
        """Return the result with scores of its replies, where the target asks for them."""
        return await self._record.replies.scored(self.result, self._run)

    @property
    def loop_lag_s(self) -> float | None:
        """The largest lateness of the event loop since the caller entered; None before."""
        return self._caller.lag.largest

    async def conduct(self) -> None:
        """Place the call and take all its turns.

        Raises:
            ProbeError: Why it could not be placed, or why it ended early.
        """
        if self._recording is not None:
            self._caller.record(self._recording.tape)
            self._recording.begin()
        async with self._caller.tasks.alive():
            await self._conduct()

    async def recorded(self) -> None:
        """Write down what is left to be written of what happened, if it is kept."""
        if self._recording is not None:
            await self._recording.finish()

    async def _conduct(self) -> None:
        config, caller = self._config, self._caller
        clips, sound = await self._voice()
        if any(clip.words for clip in clips):
            understood.get_ready()
        entrance = await self._room.entrance()
        asked, inside = entrance.asked, await self._enter(entrance)
        if config.dispatch == "explicit":
            asked = time.monotonic()
            await self._room.dispatch()
        since = time.monotonic()
        arrived = await caller.meet(config.join_timeout, with_voice=config.dispatch == "automatic")
        if arrived is None:
            raise await self._room.nobody_came(since)
        self._met(asked)
        await caller.listen(config.track_timeout)
        if caller.arrived != arrived:  # only another agent has a voice
            self._met(asked)
        breaks = None if config.does is None else breaks_of(config.does, caller, self._relay)
        conversation = Conversation(caller, config, clips, sound, breaks)
        await Steps(config, self._run, caller, self._record, conversation).take(inside)

    async def _enter(self, entrance: Entrance) -> float:
        """Enter the room, by way of the line that is set; return when the caller was in it."""
        key = self._run.server.e2ee_key if self._config.e2ee else ""
        falls_silent = self._config.does is not None and self._config.does.silence is not None
        relay = await start_relay(self._config.line, self._run, needed=falls_silent)
        self._relay = relay
        by = relay.rtc_config if relay else None
        try:
            inside = await self._caller.connect(
                entrance.url, entrance.token, CONNECT_TIMEOUT_S, key, by
            )
        except ProbeError as error:
            raise blamed(error, relay) from error
        self._run.log(f"in room {self._room.name}")
        return inside

    async def _voice(self) -> tuple[tuple[Clip, ...], Clip | None]:
        """Return what is said, and what is said into the agent's speech, as the line has it."""
        clips, sound, line = await self._clips(), await self._sound(), self._config.line
        if line.sending is None:
            return clips, sound
        every = clips if sound is None else (*clips, sound)
        bad = BadLine(line.sending, line.noise_file, every)
        bad.take_over(self._caller.microphone)
        return tuple(map(bad.clip, clips)), None if sound is None else bad.clip(sound)

    async def _clips(self) -> tuple[Clip, ...]:
        config = self._config
        if config.script:
            clips = await clips_of(config.script)
        elif config.does is not None and (name := utterance_of(config.does)):
            clips = (built_in_clip(name),)
        else:
            clips = in_turn(await ready_clips(config.says), self._run.started_at, config)
        return clips

    async def _sound(self) -> Clip | None:
        """Return what is said into the agent's speech, if anything is."""
        does = self._config.does
        name = sound_of(does) if does is not None else ""
        if does is not None and name and does.interruption is not None:
            return (await ready_clips((does.interruption,)))[0]
        return built_in_clip(name) if name else None

    async def hang_up(self) -> None:
        """Leave the room, then delete it if it is ours; log what fails."""
        media = await media_of(self._caller.room, self._caller.events)
        await self._caller.leave()
        self._end_relay()
        self._record.result = replace(
            self._with_speech(),
            split_absent=self._why_no_split(),
            media=media,
            usage=usage_of(self._caller.events.timeline),
        )
        await self._room.delete()

    def _end_relay(self) -> None:
        """End the relay, if there is one, once nothing goes through it any more."""
        if self._relay is None:
            return
        self._relay.stop()
        counts = self._relay.counts()
        self._record.result = replace(self.result, line=counts)
        self._run.log(told(counts))

    def _with_speech(self) -> CallResult:
        """Return the result with how long each side was heard."""
        if not self._caller.ears.heard:
            return self.result
        heard = [span for ear in self._caller.ears.heard for span in ear.sounds()]
        said = [(each.at, each.until) for each in self._caller.events.timeline.of(CallerSpoke)]
        return replace(
            self.result,
            speech_s=SpeechSeconds(seconds(said), seconds(heard)),
            overlap_s=overlap_s(said, heard),
        )

    def _met(self, asked: float) -> None:
        if self._caller.was_there:
            self._record.result = replace(self.result, time_to_agent_s=None)
            self._run.log("the agent was in the room before the caller")
            return
        after_s = self._caller.arrived - asked
        self._record.result = replace(self.result, time_to_agent_s=after_s)
        self._run.log(f"agent in the room {after_s:.3f} s after the dispatch")

    def _why_no_split(self) -> str:
        if any(turn.components.llm_s is not None for turn in self.result.turns):
            return ""
        replied = any(turn.outcome is TurnOutcome.REPLIED for turn in self.result.turns)
        return self._caller.events.why_absent() if replied else ""

    def worst(self) -> tuple[Reason | None, str]:
        """Return why it failed, if it came to its end: a turn, or what a dialogue missed."""
        result = self.result
        reason, detail = worst_turn(result.turns)
        if reason not in (None, Reason.VOID):
            return reason, detail
        if missed := result.expected(ExpectationOutcome.MISSED):
            return Reason.UNEXPECTED_ANSWER, "; ".join(map(str, missed))
        untimed = self._record.stopped or result.needs_no_latency
        return (None, "") if untimed else (reason, detail)


async def place_call(
    config: LatencyConfig,
    run: Run,
    *,
    open_api: Callable[[Server], ServerApi] = ServerApi,
    make_caller: MakeCaller = Caller,
    fetch: FetchToken = fetch_for,
) -> Outcome:
    """Place one call and return its turns, whatever ends it; the room is left and deleted."""
    async with open_api(run.server) as api:
        call = Call(config, run, api, make_caller, fetch)
        try:
            ended = await run.within_deadline(
                call.conduct(), CLEANUP_S + config.sound.scoring_s(config.turns)
            )
        finally:
            await call.hang_up()
    reason, detail = call.worst()
    # A turn that failed says more than the deadline that it led to, or than a standstill after it.
    late = ended is not None and ended.reason in (Reason.DEADLINE, Reason.VOID)
    if late and reason not in (None, Reason.VOID):
        ended = None
    outcome = run.outcome(
        "latency",
        config.agent_name,
        ended=ended,
        reason=reason,
        detail=detail,
        loop_lag_s=call.loop_lag_s,
    )
    await call.recorded()
    # What the call took, which is what it costs, is known by now: scoring is no part of it.
    result = await call.scored()
    return replace(outcome, result=result, log=tuple(run.lines))
