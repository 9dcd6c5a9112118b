"""An exporter after a busy day: every metric of the table has series, and they move.

Nothing is called: the outcomes are made here and go through the daemon's own listeners, as those
of probes do. What each test of the suite proves of one probe, this has of all at once.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from time import monotonic

from exporter.calls.calls import EMPTY_S
from exporter.calls.families import REFUSALS
from exporter.calls.turns import LIVE_OUTCOMES, LiveTurn, LiveUsage, TurnBatch
from exporter.daemon.parts import Daemon
from exporter.daemon.plan import call_work, server_works
from exporter.metrics.exposition import Format
from exporter.metrics.leases import LeaseSeries
from exporter.metrics.own import EvidenceSeries, PoolSeries
from exporter.metrics.registry import process_metrics
from exporter.outcome import (
    UNPROVOKED,
    AgentInRoom,
    AnswerOutcome,
    Backchannel,
    BackchannelOutcome,
    Calibration,
    CallerToken,
    CallReconnect,
    CallResult,
    Certificate,
    Components,
    Expectation,
    ExpectationOutcome,
    InnerPause,
    Interruption,
    InterruptionOutcome,
    Listing,
    LossReason,
    Media,
    MediaDirection,
    ModelUsage,
    Mos,
    Outcome,
    PauseOutcome,
    PendingDispatch,
    Ramp,
    Reason,
    Reconnect,
    ReplySound,
    RoomWithoutHuman,
    SfuBaseline,
    SfuReach,
    SfuReconnects,
    SilentStage,
    SpeechSeconds,
    TokenDanger,
    TokenFailure,
    Transport,
    Turn,
    TurnOutcome,
    WorkerPage,
    WorkerScrape,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.roster.types import WorkerReport, WorkerStatus
from exporter.run.lane import LaneState
from exporter.server_api.webhooks import EventParticipant
from exporter.settings.settings import Settings
from tests.unit import load_tiers
from tests.unit.calls import heard, judged
from tests.unit.ramp.tiers import tier
from tests.unit.real_calls.scripts import SCRIPTS
from tests.unit.sfu.baselines import GOOD

SERVER = "test"
_VANTAGE = "default"
_NEVER_S = 86_400.0
_WHEN = datetime(2026, 11, 21, tzinfo=UTC)
_ALWAYS = [{"hours": "00:00-24:00"}]
_BUDGET = {
    "turns_per_day": 50_000,
    "call_seconds_per_day": "100d",
    "tokens_per_day": 100_000_000,
    "price_per_minute": 0.05,
}
_USAGE = (
    ModelUsage("reader", llm_input=6000, llm_cached=4000, llm_output=240),
    ModelUsage("voice", tts_characters=300),
    ModelUsage("ear", stt_seconds=16.0),
)
_SLOW_WAY = replace(GOOD, vantage=_VANTAGE, round_trips_s=(0.120,) * 21)
_CONFIGURATION = {
    "server_name": SERVER,
    "livekit": {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": "very-secret"},
    "store": {"enabled": False},
    # So that one listing is enough to find something that has been there for too long.
    "agents": {"stuck_after": "1ms", "no_job_after": "1ms", "unclosed_after": "1ms"},
    "workers": {"scrape": ["http://127.0.0.1:8081"]},
    "ramp": {"enabled": True, "windows": _ALWAYS, "max_clients": 50},
    "agent_load": {
        "enabled": True,
        "agent_name": "sales",
        "windows": _ALWAYS,
        "max_calls": 8,
        "needed_calls": 4,
    },
    "targets": [
        {
            "agent_name": "sales",
            "script": [{"expect": {"words": ["order"], "tool": "look_up"}}, {}, {}, {}],
            "max_wer": 0.6,
            "budget": _BUDGET,
        },
        {
            "agent_name": "sales",
            "call_type": "refund",
            "target_ms": 2500,
            "max_wer": 0.6,
            "page_on": "fail",
            "budget": _BUDGET,
        },
        {"agent_name": "support", "scenario": "angry", "max_wer": 0.6, "budget": _BUDGET},
    ],
}


class BusyDay:
    """A daemon that is given one round of outcomes after another."""

    def __init__(self) -> None:
        """Put the daemon together; nothing has run yet."""
        settings = Settings.model_validate(_CONFIGURATION)
        self._daemon = Daemon(settings, settings.server(), lambda: settings)
        self._rounds = count()
        self._targets = settings.targets
        for work in server_works(settings):
            self._daemon.works.add(work, _NEVER_S)
        for target in self._targets:
            self._daemon.works.add(call_work(target), _NEVER_S)
        # What exists only while it runs: the loop that may be late, the opened ledger, kept calls.
        self._daemon.own.loop_lag(0.001)
        self._daemon.own.reached_at("http://127.0.0.1:9465")
        evidence = EvidenceSeries(self._daemon.metrics)
        evidence.kept(12, 9_000_000)
        evidence.lost(LossReason.DISK_FULL)
        self._daemon.ledger.store._store.works()
        leases = LeaseSeries(self._daemon.metrics)
        leases.members(1)
        leases.lost("expired")
        leases.refused()
        labels = ("probe", "agent_name", "call_type", "scenario", "vantage")
        subject = dict(zip(labels, ("latency", "sales", *["default"] * 3), strict=True))
        leases.show(subject, is_held=True, unheld_intervals=1.5)
        for reason in ("overlap", "missed", "window", "budget"):
            self._daemon.recorder.skip("latency", "sales", reason)
        self._pool = PoolSeries(self._daemon.metrics)
        self._pool.changed(LaneState("call", slots=4, busy=3, waiting=1))
        self._pool.crashed("call")

    def pass_on(self) -> None:
        """Let one round of every probe end."""
        asyncio.run(self._pass_on(next(self._rounds)))

    def page(self) -> bytes:
        """Return what /metrics would answer."""
        snapshot = self._daemon.metrics.snapshot()
        return Format.accepted("").page(snapshot, process_metrics()).encode()

    async def _pass_on(self, turn: int) -> None:
        await self._real_calls(turn)
        for _ in range(10):
            self._pool.waited("call", 0.5 * (turn % 9))
        self._daemon.live_turns.take(_live_turns(turn))
        for report in _reports():
            self._daemon.fleet.roster.heartbeat(report)
        for outcome in _server_outcomes(turn):
            self._end(outcome)
        for place, target in enumerate(self._targets):
            run_id = f"{turn}-{place}"
            for gate in (*self._daemon.ledger.gates, *self._daemon.ledger.reserve):
                assert not await gate(call_work(target), run_id)
            self._end(replace(_call(turn, target), run_id=run_id))

    async def _real_calls(self, turn: int) -> None:
        """Let real calls of every kind end, and refuse a delivery for each reason."""
        calls, now = self._daemon.real_calls, monotonic()
        for kind, script in SCRIPTS.items():
            sid = f"{turn} {kind}"
            for each in script.events:
                who = each.participant and _of_sales(each.participant)
                await calls._take(
                    replace(each, id=f"{sid} {each.id}", room_sid=sid, participant=who)
                )
        calls._calls._clock = lambda: now + EMPTY_S
        await calls.step()
        calls._calls._clock = monotonic
        for reason in REFUSALS:
            calls.refuse(reason)

    def _end(self, outcome: Outcome) -> None:
        for listener in self._daemon.listeners:
            listener(outcome)


def _of_sales(participant: EventParticipant) -> EventParticipant:
    """Return it with a region; an agent is the one that is called, and whose turns are reported."""
    attributes = {
        name: "sales" if text == "demo" else text for name, text in participant.attributes.items()
    }
    return replace(participant, region="eu", attributes=attributes)


def _live_turns(turn: int) -> TurnBatch:
    """Return a batch with turns of every outcome, and all that one may have."""
    used = LiveUsage(
        model="gpt",
        llm_input=300,
        llm_cached=100,
        llm_output=20,
        tts_characters=80,
        stt_seconds=2.5,
    )
    turns = tuple(
        LiveTurn(
            agent_name="sales",
            call_type="order",
            outcome=outcome,
            e2e_s=1.2,
            transcription_delay_s=0.2,
            end_of_turn_delay_s=0.5,
            on_user_turn_completed_s=0.01,
            llm_ttft_s=0.2 if turn % 20 else 200.0,
            llm_ttfs_s=0.24,
            tts_ttfb_s=0.15,
            tools_s=0.1,
            tools_ok=1,
            tools_failed=turn % 2,
            usage=(used,),
        )
        for outcome in LIVE_OUTCOMES
    )
    return TurnBatch(id=f"{turn}", dropped=turn % 3, turns=turns)


def _server_outcomes(turn: int) -> Iterator[Outcome]:
    yield judged(Outcome("agents", "", _WHEN, 0.1, result=_listing()))
    yield judged(Outcome("workers", "", _WHEN, 0.2, result=_pages()))
    yield judged(Outcome("calibrate", "", _WHEN, 30, result=Calibration(0.094, 0.004, 10)))
    yield judged(Outcome("sfu", "", _WHEN, 12, result=_baseline(turn)))
    yield judged(Outcome("reach", "", _WHEN, 9, result=_reach()))
    reason = Reason.CONNECT_FAILED if turn % 2 else None
    yield judged(Outcome("reconnect", "", _WHEN, 9, reason, result=_reconnects(turn)))
    tiers = tier(2), tier(10, 20), tier(25, 40), tier(50, 400)
    yield judged(Outcome("ramp", "", _WHEN, 90, result=Ramp(tiers)))
    loads = load_tiers.tier(1), load_tiers.tier(2), load_tiers.tier(4), load_tiers.tier(8, 2400)
    yield judged(replace(load_tiers.loaded(*loads), started_at=_WHEN))


def _call(turn: int, target: LatencyConfig) -> Outcome:
    """Return a call that was good, or every so often slow, void or failed."""
    seconds = 4.0 if turn % 10 == 3 else 1.0 + 0.02 * (turn % 7)
    reason = {5: Reason.NO_REPLY, 7: Reason.VOID}.get(turn % 10)
    missed = bool(target.script) and turn % 10 == 8
    outcome = {None: TurnOutcome.REPLIED, Reason.VOID: TurnOutcome.VOID}
    ended = outcome.get(reason, TurnOutcome.FAILED)
    replied = Turn(
        TurnOutcome.REPLIED,
        e2e_s=seconds,
        components=Components(
            0.2,
            0.2,
            0.3,
            0.15,
            seconds - 1.0,
            on_user_turn_completed_s=0.01,
            tools_s=0.1,
            first_sentence_s=0.04,
        ),
        time_to_answer_s=seconds + 0.1 if turn % 11 == 0 else None,
        implausible=("llm",) if turn % 20 == 0 else (),
        reported_e2e_s=seconds - 0.1,
        transcription=heard(6, substituted=1, deleted=1, inserted=1),
        jitter_buffer_s=0.03 + 0.01 * (turn % 3),
        reply=ReplySound(-21.0, 0.001, 11_500.0, 0.4, mos=Mos(3.1, 3.6, 2.7)),
    )
    stage = SilentStage.NO_ANSWER if reason is Reason.NO_REPLY else None
    last = replied if reason is None else Turn(ended, reason=reason, silent_stage=stage)
    turns = replace(replied, warmup=True), replied, replied, last
    token = CallerToken(0.2 + 0.01 * (turn % 5), (TokenDanger.LONG_LIVED,))
    if reason is Reason.NO_REPLY:
        token = CallerToken(failure=TokenFailure.TIMEOUT)
    result = CallResult(
        *target.key,
        turns,
        time_to_agent_s=0.4,
        time_to_greeting_s=0.9,
        speech_s=SpeechSeconds(6.0, 14.0),
        overlap_s=0.2,
        expectations=_expected(missed=missed) if target.script else (),
        media=Media(MediaDirection(1500, 3, 0.002), MediaDirection(1500, 9, 0.003, 0.004)),
        usage=_USAGE,
        reconnects=(CallReconnect("full", 1.2, answered=turn % 10 != 5),),
        interruptions=(
            Interruption(InterruptionOutcome.YIELDED, 0.7, AnswerOutcome.ANSWERED, 1.2),
            Interruption(InterruptionOutcome.TALKED_ON, answer=AnswerOutcome.UNANSWERED),
        ),
        backchannels=tuple(map(Backchannel, BackchannelOutcome)),
        pauses=tuple(map(InnerPause, PauseOutcome)),
        token=token,
    )
    reason = Reason.UNEXPECTED_ANSWER if missed else reason
    called = Outcome("latency", target.agent_name, _WHEN, 20, reason, result=result)
    return judged(replace(called, loop_lag_s=0.03 if reason is Reason.VOID else 0.002))


def _expected(*, missed: bool) -> tuple[Expectation, ...]:
    tool = ExpectationOutcome.MISSED if missed else ExpectationOutcome.MET
    return Expectation(1, "words", ExpectationOutcome.MET), Expectation(1, "tool", tool)


def _listing() -> Listing:
    states = ("initializing", "idle", "listening", "thinking", "speaking", "")
    agents = tuple(
        AgentInRoom(name, f"agent-{name}-{state}", f"{name}-{state}", state, humans=1, age_s=90)
        for name in ("sales", "support")
        for state in states
    )
    return Listing(
        agents,
        tuple(PendingDispatch(name, f"{name}-waits", 40, 1) for name in ("sales", "support")),
        rooms=len(agents) + 3,
        participants=(("agent", len(agents)), ("standard", len(agents)), ("sip", 2)),
        without_human=(RoomWithoutHuman("empty", "RM_empty", 7200),),
        requests=(("ok", 20), ("refused", 1), ("failed", 0)),
        oldest_s=40,
    )


def _reports() -> Iterator[WorkerReport]:
    for agent in ("sales", "support"):
        for status in WorkerStatus:
            yield WorkerReport(
                *(f"AW_{agent}_{status}", agent, status, 1, 0.4, 500_000_000, 0.3, "1.8.9"),
                version="41" if status is WorkerStatus.FULL else "42",
                region="ams",
            )


def _pages() -> WorkerScrape:
    urls = "http://127.0.0.1:8081", "http://127.0.0.1:8082"
    failed = WorkerPage(urls[1], reason=Reason.CONNECT_FAILED, detail="refused")
    page = WorkerPage(urls[0], "127.0.0.1", "127.0.0.1", 8081, agent_name="sales", active_jobs=1)
    return WorkerScrape((page, failed))


def _reach() -> SfuReach:
    names = ("udp", "tcp", "turn")
    transports = tuple(Transport(name, name != "turn", offered=()) for name in names)
    certificate = Certificate("livekit.example:443", datetime(2027, 3, 1, tzinfo=UTC))
    return SfuReach(0.1, "1.13.5", transports, (certificate,), 0.0, "ams", "ND_1")


def _baseline(turn: int) -> SfuBaseline:
    """Return a slow one, now and again with a connection that was lost meanwhile."""
    back = Reconnect(UNPROVOKED, 34.3, 34.6)
    lost = Reconnect(UNPROVOKED, reason=Reason.CONNECT_FAILED, detail="did not come back")
    reconnects = {2: (back,), 6: (lost,)}
    return replace(_SLOW_WAY, reconnects=reconnects.get(turn % 10, ()))


def _reconnects(turn: int) -> SfuReconnects:
    back = [Reconnect(kind, 1.0 + 0.1 * (turn % 3), 1.2) for kind in ("signal", "full")]
    lost = Reconnect("migration", reason=Reason.CONNECT_FAILED, detail="did not come back")
    return SfuReconnects((*back, lost if turn % 5 == 0 else Reconnect("migration", 2.0, 2.5)))
