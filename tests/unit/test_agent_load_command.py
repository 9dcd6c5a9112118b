"""The command `agent-load`, with a load that somebody else has made."""

import asyncio
import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from freezegun import freeze_time

from exporter.cli import main
from exporter.commands import agent_load
from exporter.outcome import AgentLoad, LoadTier, Outcome, RampProgress, Reason
from exporter.probes import PROBES
from exporter.probes.agent_load.messages import LoadSetup
from exporter.probes.agent_load.spec import AgentLoadConfig
from exporter.probes.latency.deadline import needed_s
from exporter.run.budget import opening
from exporter.run.runner import Runner
from exporter.run.scheduler import Work
from exporter.run.windows import WindowGate
from exporter.settings.settings import Settings
from exporter.store.records import (
    NO_BUDGET_LIMITS,
    BudgetLimits,
    OpenRun,
    RunQuery,
    RunRecord,
    Spending,
)
from exporter.store.sqlite import SqliteStore, open_sqlite
from tests.unit.calls import WHEN
from tests.unit.load_tiers import IDLE, loaded, tier

SERVER = ("--url", "ws://127.0.0.1:1", "--api-key", "devkey", "--api-secret", "hunter2")
ROW = PROBES["agent_load"]


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("LIVEKIT_", "VOICE_EXPORTER_")):
            monkeypatch.delenv(name)


@pytest.fixture
def finds(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[AgentLoadConfig]]:
    """Make each load find these tiers; the configurations that were asked for are returned."""

    def these(*tiers: LoadTier, reason: Reason | None = None) -> list[AgentLoadConfig]:
        asked: list[AgentLoadConfig] = []

        def load(
            _settings: Settings, config: AgentLoadConfig, show: Callable[[RampProgress], None]
        ) -> Outcome:
            asked.append(config)
            for each in tiers:
                show(RampProgress(each.calls, 0.5))
            outcome = replace(loaded(*tiers), reason=reason, detail="why" if reason else "")
            return ROW.judged(config, outcome)

        monkeypatch.setattr(agent_load, "load_agent", load)
        return asked

    return these


def test_no_agent_is_an_error_in_usage(
    finds: Callable[..., list[AgentLoadConfig]], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is called."""
    asked = finds(tier(1))
    assert main(["agent-load", *SERVER]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--agent is missing; expected the name of an agent" in captured.err
    assert asked == []


def test_the_document(
    finds: Callable[..., list[AgentLoadConfig]], capsys: pytest.CaptureFixture[str]
) -> None:
    """One document on stdout; what it will cost, and calls in progress, on stderr."""
    asked = finds(tier(1), tier(2), tier(4, 1600))
    flags = ("--agent", "sales", "--calls", "1,2,4", "--duration", "30s", "--json")
    assert main(["agent-load", *SERVER, *flags]) == 0
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert (document["knee_calls"], document["knee"], document["verdict"]) == (2, "found", "PASS")
    assert document["text"] == "~2 calls"
    assert (document["agent_name"], len(document["tiers"])) == ("sales", 3)
    assert captured.err.splitlines() == [
        "up to 7 calls, 4 minutes of calls",
        *(f"agent load: {calls} calls" for calls in (1, 2, 4)),
    ]
    assert (asked[0].calls, asked[0].duration) == ((1, 2, 4), 30)
    assert "hunter2" not in captured.out + captured.err


@pytest.mark.parametrize(
    ("tiers", "reason", "words"),
    [
        ((tier(1, 1600),), None, ("SLOW", "below 1 calls")),
        (
            (tier(1, load=replace(IDLE, lag_s=0.05)),),
            None,
            ("UNKNOWN", "unknown: the prober was the limit at 1 calls"),
        ),
        ((), Reason.AUTH_FAILED, ("FAIL", "auth_failed")),
    ],
)
def test_the_exit_status_follows_the_verdict(
    tiers: tuple[LoadTier, ...],
    reason: Reason | None,
    words: tuple[str, ...],
    finds: Callable[..., list[AgentLoadConfig]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A prober that is the limit of the first tier is not PASS."""
    finds(*tiers, reason=reason)
    assert main(["agent-load", *SERVER, "--agent", "sales"]) == 1
    out = capsys.readouterr().out
    assert [each for each in words if each not in out] == []


def test_the_cap_holds_for_the_command(
    tmp_path: Path,
    finds: Callable[..., list[AgentLoadConfig]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """More calls than `max_calls` are an error in the configuration."""
    asked = finds(tier(1))
    file = tmp_path / "exporter.yaml"
    file.write_text("agent_load: {agent_name: sales, max_calls: 8}\n", encoding="utf-8")
    assert main(["agent-load", *SERVER, "--config", str(file), "--calls", "1,16"]) == 2
    assert "is above max_calls, 8" in capsys.readouterr().err
    assert asked == []


def test_a_scheduled_load_starts_in_its_windows_only() -> None:
    """The gate of all calls holds for loads as well."""
    config = AgentLoadConfig.model_validate(
        {
            "enabled": True,
            "agent_name": "sales",
            "max_calls": 8,
            "windows": [{"hours": "02:00-04:00"}],
        }
    )
    gate, work = WindowGate(), Work("load", "agent_load", "", config, config.interval)
    with freeze_time("2026-11-20 03:00:00"):
        assert asyncio.run(gate(work, "run")) == ""
    with freeze_time("2026-11-20 12:00:00"):
        assert asyncio.run(gate(work, "run")) == "window"


@pytest.mark.parametrize("max_yield_ms", [None, 800.0])
def test_a_call_has_time_for_what_it_does(max_yield_ms: float | None) -> None:
    """A call that is cut short would look like one that the agent failed."""
    call = AgentLoadConfig(agent_name="sales", max_yield_ms=max_yield_ms).call()
    assert call.deadline == needed_s(vars(call))


def test_the_setup_of_a_process_shows_no_secret() -> None:
    """It goes through a pipe; its text may come into a log."""
    setup = LoadSetup.model_validate(
        {
            "url": "ws://livekit.test",
            "api_key": "devkey",
            "api_secret": "hunter2",
            "ca_file": "",
            "e2ee_key": "hunter3",
            "config": "cGlja2xlZA",
        }
    )
    assert "hunter" not in repr(setup)
    assert setup.config not in repr(setup)


def test_a_load_without_tiers_says_so() -> None:
    """Nothing is claimed."""
    assert ROW.summary(AgentLoad("sales", "default", "default")) == "no tier was measured"


@pytest.fixture
def no_call(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a load that is run find two tiers; the ids of runs are returned."""
    ran: list[str] = []

    async def found(
        _runner: Runner, _probe: str, _config: AgentLoadConfig, run_id: str, **_more: object
    ) -> Outcome:
        ran.append(run_id)
        return replace(loaded(tier(1), tier(2)), run_id=run_id)

    monkeypatch.setattr(Runner, "run", found)
    return ran


def budgeted(folder: Path, turns: int) -> Path:
    """Return a configuration whose target may take so many turns a day."""
    file = folder / "config.yaml"
    file.write_text(
        f"store: {{folder: {folder / 'state'}}}\n"
        f"targets: [{{agent_name: sales, budget: {{turns_per_day: {turns}}}}}]\n"
        "agent_load: {calls: [1, 2], duration: 20s}\n"
    )
    return file


def test_what_a_load_took_is_in_the_ledger(tmp_path: Path, no_call: list[str]) -> None:
    """1. A load ends. Result: its turns are spent, and it is in the history under its own id."""
    flags = ("--agent", "sales", "--config", str(budgeted(tmp_path, 60)))
    assert main(["agent-load", *SERVER, *flags]) in (0, 1)
    store = open_sqlite(tmp_path / "state")
    (spent,) = store.spent("").values()
    assert (spent.turns, store.open_runs()) == (33, ())
    assert [run.run_id for run in store.runs(RunQuery())] == no_call
    store.close()


def test_a_load_is_not_begun_again_after_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says that it goes on while it ends: it would stay open, and be charged twice."""
    work = Work("agent_load", "agent_load", "", AgentLoadConfig(agent_name="a"), 60)
    (opened, _), limits = opening(work, "r", WHEN), BudgetLimits(turns=10_000)
    store, heard, ended = SqliteStore(), threading.Event(), threading.Event()
    begin, end = store.begin, store.end

    def begin_slowly(run: OpenRun, limits: BudgetLimits = NO_BUDGET_LIMITS) -> bool:
        if limits == NO_BUDGET_LIMITS:
            heard.set()
            ended.wait(0.2)  # an end that does not wait for this comes now
        return begin(run, limits)

    def note_end(record: RunRecord, spent: Spending | None) -> None:
        end(record, spent)
        ended.set()

    monkeypatch.setattr(store, "begin", begin_slowly)
    monkeypatch.setattr(store, "end", note_end)
    monkeypatch.setattr(store, "close", lambda: None)
    monkeypatch.setattr(agent_load, "_ledger", lambda _settings: store)
    monkeypatch.setattr(agent_load, "REFRESH_S", 0.01)

    async def main() -> None:
        async with agent_load._charged(Settings(), opened, limits) as settle:
            await asyncio.to_thread(heard.wait, 10)
            settle(loaded(tier(1)))

    asyncio.run(main())  # it waits for all threads
    assert store.open_runs() == ()
    assert [run.run_id for run in store.runs(RunQuery())] == ["r"]


def test_a_load_beyond_the_budget_is_one_line(
    tmp_path: Path, no_call: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody is called; of two loads the second is more than the day has left."""
    flags = ("--agent", "sales", "--config", str(budgeted(tmp_path, 60)))
    main(["agent-load", *SERVER, *flags])
    capsys.readouterr()
    assert main(["agent-load", *SERVER, *flags]) == 2
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "budget" in each]
    assert "the load may take 36 turns" in line
    assert "(turns_per_day 60; 33 turns and" in line
    assert len(no_call) == 1


def test_a_ledger_in_use_leaves_the_budget_of_a_day(
    tmp_path: Path, no_call: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A running exporter has the file: the load is made, and a line says that it is not charged."""
    store = open_sqlite(tmp_path / "state")
    flags = ("--agent", "sales", "--config", str(budgeted(tmp_path, 60)))
    main(["agent-load", *SERVER, *flags])
    (line,) = [each for each in capsys.readouterr().err.splitlines() if "not charged" in each]
    assert "the ledger cannot be used" in line
    assert len(no_call) == 1
    assert store.spent("") == {}
    store.close()
