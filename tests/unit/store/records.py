"""Records that the tests of the stores share."""

from datetime import UTC, datetime, timedelta

from exporter.outcome import (
    AnswerOutcome,
    Backchannel,
    BackchannelOutcome,
    Cause,
    Components,
    Expectation,
    ExpectationOutcome,
    Finding,
    InnerPause,
    Interruption,
    InterruptionOutcome,
    Media,
    MediaDirection,
    ModelUsage,
    Mos,
    PauseOutcome,
    Reason,
    ReplySound,
    Sending,
    SpeechSeconds,
    Turn,
    TurnOutcome,
    Verdict,
)
from exporter.store.records import OpenRun, RunRecord, Spending

# Of today: what is older than the retention is pruned, by the clock of the machine.
NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
DAY = f"{NOON:%Y-%m-%d}"
PLAN = Spending(4, 180.0)
USAGE = (
    ModelUsage("reader", llm_input=1500, llm_cached=1000, llm_output=60),
    ModelUsage("speaker", tts_characters=312),
    ModelUsage("listener", stt_seconds=40.5),
)
TURNS = (
    Turn(TurnOutcome.REPLIED, warmup=True, e2e_s=1.1),
    Turn(
        TurnOutcome.REPLIED,
        e2e_s=0.93,
        components=Components(0.1, 0.4, 0.2, 0.15, 0.08),
        reported_e2e_s=0.85,
        loop_lag_s=0.001,
        jitter_buffer_s=0.02,
        reply=ReplySound(-21.5, 0.001, 7900.0, 0.35, Mos(3.5, 4.0, 3.25)),
    ),
    Turn(TurnOutcome.FAILED, reason=Reason.NO_REPLY, detail="no reply within 10 s — “ü”"),
    Turn(TurnOutcome.VOID, reason=Reason.VOID, detail="loop lag"),
)


def open_run(run_id: str = "a", *, target: str = "t", seconds: float = 0) -> OpenRun:
    """Return a run that is about to start."""
    started = NOON + timedelta(seconds=seconds)
    return OpenRun(run_id, "latency", "demo", "sales", "busy", started, target, DAY, PLAN, "room")


def ended(
    run_id: str = "a",
    *,
    reason: Reason | None = None,
    seconds: float = 0,
    agent_name: str = "demo",
) -> RunRecord:
    """Return a run that has ended, with every kind of turn."""
    return RunRecord(
        run_id=run_id,
        probe="latency",
        agent_name=agent_name,
        call_type="sales",
        scenario="busy",
        started_at=NOON + timedelta(seconds=seconds, microseconds=123457),
        duration_s=31.25,
        reason=reason,
        detail="a detail" if reason else "",
        verdict=Verdict.FAIL if reason else Verdict.PASS,
        agents=2,
        turns=TURNS,
        time_to_agent_s=0.4,
        time_to_greeting_s=None,
        split_absent="",
        log=("   0.100 in room r",) if reason else (),
        loop_lag_s=0.004,
        expectations=(Expectation(2, "tool", ExpectationOutcome.VOID, "why"),),
        interruptions=(
            Interruption(InterruptionOutcome.YIELDED, 0.6, AnswerOutcome.ANSWERED, 1.5),
        ),
        backchannels=(Backchannel(BackchannelOutcome.PAUSED, 2.1),),
        pauses=(InnerPause(PauseOutcome.CUT_IN),),
        speech_s=SpeechSeconds(3.5, 9.25),
        overlap_s=0.125,
        sending=Sending("pink", 5.0, bitrate_kbps=16.0),
        media=Media(MediaDirection(1500, 3, 0.002), MediaDirection(1490, None, None, 0.004)),
        usage=USAGE,
        findings=(Finding(Verdict.SLOW, "12 of 30 words wrong", Cause.WORDS),),
    )
