"""Scenarios of a target: what they inherit, what is their own, and where a mistake is."""

from pathlib import Path

import pytest

from exporter.commands.once import LatencyOrder, plan_calls
from exporter.daemon.plan import call_id, call_work
from exporter.errors import ConfigError
from exporter.probes.latency.line import LINES, LineConfig
from exporter.probes.latency.relayed import EachWay
from exporter.settings.load import load_settings
from exporter.settings.settings import Settings

TARGET = {
    "agent_name": "support",
    "call_type": "order",
    "interval": "5m",
    "target_ms": 1200,
    "metadata": "{}",
    "scenarios": [
        {"name": "barge_in", "every": 6, "target_ms": 800},
        {"name": "slow talker", "kind": "pause", "pause": "2s", "target_ms": 2500, "trials": 1},
    ],
}


def test_a_scenario_is_a_target_of_its_own_after_the_one_it_stands_under() -> None:
    """It inherits all that it does not set, is no part of the objective, and warns only."""
    target, barge_in, pause = Settings(targets=[TARGET]).targets
    assert [each.scenario for each in (target, barge_in, pause)] == [
        "default",
        "barge_in",
        "slow talker",
    ]
    assert [each.interval for each in (target, barge_in, pause)] == [300, 1800, 300]
    assert (barge_in.call_type, barge_in.metadata) == ("order", "{}")
    assert (barge_in.slo, barge_in.page_on) == (False, "none")
    assert barge_in.target_ms == 1200  # its own is of the time to yield
    assert barge_in.does is not None
    assert barge_in.does.yield_target_s == 0.8
    assert pause.target_ms == 2500
    assert (pause.trials, barge_in.trials) == (1, 3)


def test_scenarios_share_the_budget_of_their_target() -> None:
    """All of them are charged to one account of the ledger."""
    works = [call_work(each) for each in Settings(targets=[TARGET]).targets]
    assert {work.account for work in works} == {call_id(("support", "order", "default"))}
    assert len({work.id for work in works}) == 3


def test_a_deadline_holds_what_a_scenario_does() -> None:
    """Interruptions are answered: a call takes up to twice the turns."""
    target, barge_in, _ = Settings(targets=[TARGET]).targets
    assert barge_in.deadline > target.deadline
    assert barge_in.most[0] == 1 + 2 * barge_in.trials


def test_a_long_interruption_has_its_time() -> None:
    """What is said may be of any length that an utterance may have."""
    built_in, own = (
        Settings(targets=[TARGET | {"scenarios": [{"name": "barge_in"} | more]}]).targets[1]
        for more in (
            {},
            {"interruption": {"say": {"text": "word " * 60, "url": "http://127.0.0.1"}}},
        )
    )
    assert own.deadline > built_in.deadline + 60


BAD = {
    "name: barge_in, after: 30s": "after: 30s is too long; expected at most 25s",
    "name: cough, pause: 2s": "pause: has no effect with kind cough; expected kind pause",
    "name: pause, pause: 1s": "pause: 1s has no built-in clip; expected 0.6s, 1.2s or 2s",
    "name: x, kind: barge": 'kind: "barge" is not known; expected turns or barge_in or '
    "backchannel or cough or pause or reconnect; did you mean barge_in?",
    "name: reconnect, breaks: full, silence: 3s": "silence: conflicts with breaks; expected one "
    "of them",
    "name: reconnect, trials: 1": "trials: 1 leaves no turn after the break; expected 2 or more",
    "name: pause, breaks: full": "breaks: has no effect with kind pause; expected kind reconnect",
    "kind: pause": "name: is missing; expected a value",
    "name: noise, line: {snr_db: 5}": "line.snr_db: needs noise; expected babble, pink, white or a "
    "sound file",
    "name: default": "name: 'default' is another scenario of the same agent_name and call_type; "
    "expected a different name",
    "name: x, fail_ms: 100": "fail_ms: 100 must be above target_ms",
}


@pytest.mark.parametrize("written", BAD)
def test_a_mistake_is_named_with_its_place(written: str, tmp_path: Path) -> None:
    """The line has the file, the key within the scenario, and what was expected."""
    file = tmp_path / "e.yaml"
    file.write_text(f"targets:\n  - agent_name: a\n    scenarios:\n      - {{{written}}}\n")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {}, {})
    assert f"{file}:4 targets[0].scenarios[0].{BAD[written]}" in str(caught.value)


def asked(name: str | None) -> list[str]:
    """Return the scenarios that `latency --scenario NAME` calls."""
    order = LatencyOrder("support", {"scenario": name, "trials": 2})
    calls = plan_calls(Settings(targets=[TARGET]), order, "support")
    assert {call.trials for call in calls} <= {1, 2}
    return [call.scenario for call in calls]


def test_the_command_calls_scenarios_where_they_are_asked_for() -> None:
    """Those of the configuration first, then built-in ones, each once."""
    assert asked(None) == ["default"]
    assert asked("barge_in,cough, slow talker,cough") == ["barge_in", "cough", "slow talker"]
    assert asked("default") == ["default"]


def test_a_line_of_a_scenario_takes_the_place_of_the_targets() -> None:
    """Built-in ones are known by their names, and go with every kind."""
    scenarios = [
        {"name": "noise"},
        {"name": "packet_loss", "line": {"loss": 10}},
        {"name": "talked over", "kind": "barge_in", "line": {"noise": "pink"}},
        {"name": "barge_in"},
    ]
    target = TARGET | {"line": {"delay": "50ms"}, "scenarios": scenarios}
    own, *others = (each.line for each in Settings(targets=[target]).targets)
    more_loss = LineConfig(loss=EachWay(10, 10))
    assert others == [LINES["noise"], more_loss, LineConfig(noise="pink"), own]


@pytest.mark.parametrize("name", LINES)
def test_every_line_is_a_scenario_of_the_command(name: str) -> None:
    """The turns are those of the target, and the label is the name."""
    order = LatencyOrder("support", {"scenario": name})
    (call,) = plan_calls(Settings(targets=[TARGET]), order, "support")
    assert (call.scenario, call.line) == (name, LINES[name])
    assert call.does is not None
    assert call.does.kind == "turns"


def test_an_unknown_scenario_is_refused() -> None:
    """The line has those that are known."""
    with pytest.raises(ConfigError, match="no scenario 'nosie'; built in are barge_in"):
        asked("nosie")
