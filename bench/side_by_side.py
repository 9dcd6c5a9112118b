"""What we and voicegateway say of the same agents, whose latency is known."""

import asyncio

from bench import voicegateway
from bench.report import Report
from exporter.outcome import CallResult, Outcome
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.runner import Runner
from exporter.server_api import Server
from tests.integration.scripts import Script

SIDE_BY_SIDE = {
    "replies after 1 s": Script(),
    "replies after 2 s": Script(delay_s=2.0),
    "greets for 2.5 s, then 1 s": Script(greet_s=2.5),
    "clicks 0.3 s before replying": Script(click_s=0.3),
    "plays background audio": Script(background=True),
    "hangs in thinking": Script(hang=True),
    "never replies": Script(mute=True),
}


async def side_by_side(report: Report, server: Server) -> None:
    """Print what we and voicegateway say of the same agents."""
    python = voicegateway.install()
    rows = report.table(
        f"voicegateway {voicegateway.VERSION} side by side (2 trials each)",
        "agent",
        "true",
        "ours",
        "error",
        "verdict",
        "voicegateway",
        "error",
        "verdict",
    )
    runner = Runner(server, processes=1)
    try:
        for name, script in SIDE_BY_SIDE.items():
            config = LatencyConfig(agent_name="truth", metadata=script.metadata(), trials=2)
            outcome = await runner.run("latency", config)
            ours = _average(outcome)
            theirs = await asyncio.to_thread(
                voicegateway.measure,
                python,
                server,
                "truth",
                trials=2,
                metadata=script.metadata(),
            )
            silent = script.hang or script.mute
            truth = None if silent else script.delay_s
            rows.add_row(
                name,
                "no reply" if silent else f"{script.delay_s:.2f} s",
                str(outcome.reason) if ours is None else f"{ours:.3f} s",
                _error(ours, truth),
                outcome.verdict,
                theirs.error if theirs.avg_s is None else f"{theirs.avg_s:.3f} s",
                _error(theirs.avg_s, truth),
                theirs.verdict or "none",
            )
    finally:
        await runner.aclose()
    report.console.print(rows)


def _average(outcome: Outcome) -> float | None:
    result = outcome.result
    turns = result.turns if isinstance(result, CallResult) else ()
    values = [turn.e2e_s for turn in turns if turn.e2e_s is not None and not turn.warmup]
    return sum(values) / len(values) if values else None


def _error(value: float | None, truth: float | None) -> str:
    return "" if value is None or truth is None else f"{(value - truth) * 1e3:+.0f} ms"
