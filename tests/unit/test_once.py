"""Planning one-shot runs: which calls follow from targets, flags and what is found in rooms."""

import asyncio
import os
import signal
from pathlib import Path
from typing import cast

import pytest

from exporter.commands.once import LatencyOrder, ask_fleet, known_agents, plan_calls, run
from exporter.config.checked import checked
from exporter.config.layers import Layer
from exporter.errors import ConfigError
from exporter.outcome import AgentInRoom, Listing, Outcome, Verdict
from exporter.probes.agents.spec import AgentsConfig
from exporter.probes.latency.spec import LatencyConfig
from exporter.report.agents import FleetReport
from exporter.roster.collector import CollectorConfig
from exporter.roster.types import Worker, WorkerStatus
from exporter.run.runner import Runner
from exporter.settings.discover import DiscoverConfig
from exporter.settings.settings import Settings
from tests.unit.call.test_clip import speech, write
from tests.unit.calls import WHEN, judged

SUPPORT = LatencyConfig(agent_name="demo", call_type="support", target_ms=900)
SALES = LatencyConfig(agent_name="demo", call_type="sales", metadata="m")
SETTINGS = Settings(
    targets=(SUPPORT, SALES, LatencyConfig(agent_name="other")),
    discover=DiscoverConfig(trials=1, target_ms=700),
)


@pytest.fixture
def wav(tmp_path: Path) -> Path:
    """A sound file."""
    return write(tmp_path / "a.wav", speech().tobytes())


def planned(agent: str, **flags: object) -> list[LatencyConfig]:
    """Return the calls for one agent under flags."""
    return plan_calls(SETTINGS, LatencyOrder(agent, flags), agent)


def test_every_target_of_the_agent_is_called() -> None:
    """A name in the configuration stands for all targets with that name."""
    assert [call.call_type for call in planned("demo")] == ["support", "sales"]


def test_flags_replace_keys_of_a_target() -> None:
    """A flag replaces its key, and what the target says otherwise stays."""
    [_, sales] = planned("demo", trials="7")
    assert (sales.trials, sales.metadata) == (7, "m")


def test_a_sound_file_replaces_all_that_is_configured_to_be_said(wav: Path) -> None:
    """Also several utterances, which would conflict with one."""
    several = LatencyConfig.model_validate({"agent_name": "a", "utterances": [{}, {"wav": wav}]})
    settings = Settings(targets=(several,))
    order = LatencyOrder("a", {"utterance.wav": wav, "utterance.transcript": "Hello."})
    [call] = plan_calls(settings, order, "a")
    assert [(each.wav, each.transcript) for each in call.says] == [(wav, "Hello.")]


def test_call_type_selects_among_targets() -> None:
    """A call type that is configured selects its target."""
    assert [call.metadata for call in planned("demo", call_type="sales")] == ["m"]


def test_new_call_type_starts_from_the_first_target() -> None:
    """A call type that is not configured is a variant of the agent's first target."""
    [call] = planned("demo", call_type="trial")
    assert (call.call_type, call.target_ms) == ("trial", 900)


def test_unknown_agent_is_called_as_discovered_ones_are() -> None:
    """An agent without a target gets the settings under `discover`."""
    [call] = planned("stranger")
    assert (call.agent_name, call.trials, call.target_ms) == ("stranger", 1, 700)


def test_impossible_flag_is_refused_for_any_agent() -> None:
    """A flag is checked for an agent that is not known yet, too."""
    with pytest.raises(ConfigError, match='--trials: "none" is text'):
        planned("stranger", trials="none")


def test_many_turns_get_the_time_they_may_need() -> None:
    """A flag for more turns makes a call longer, unless its deadline is configured."""
    [long_call] = planned("stranger", trials="100")
    assert long_call.deadline >= 100 * long_call.reply_timeout
    [short_call] = planned("stranger", trials="1", deadline="3m")
    assert short_call.deadline == 180
    with pytest.raises(ConfigError, match="--deadline: 90s cannot hold the call, which may take"):
        planned("stranger", trials="100", deadline="90s")


class Listed:
    """A runner whose listing finds one agent in a room."""

    async def run(self, probe: str, _config: object) -> Outcome:
        """Return the listing."""
        agent = AgentInRoom("in-room", "agent-1", "r", "listening", 1, 9)
        return judged(Outcome(probe, "", WHEN, 0.1, result=Listing((agent,), rooms=1)))


def test_all_known_agents_are_called() -> None:
    """Configured ones, those in rooms and idle ones of the roster, each once; no dead ones."""
    workers = (
        Worker("a", "idle", WorkerStatus.IDLE),
        Worker("b", "dead", WorkerStatus.OFFLINE, is_lost=True),
        Worker("c", "left-alone", WorkerStatus.IDLE),
        Worker("d", "demo", WorkerStatus.BUSY),
    )
    settings = SETTINGS.model_copy(update={"discover": DiscoverConfig(exclude=("left-alone",))})
    listing = asyncio.run(Listed().run("agents", None))

    names = known_agents(FleetReport(listing, workers, asked=True, now=0.0), settings)

    assert names == ["demo", "other", "idle", "in-room"]


def test_exporter_that_does_not_answer_is_no_pass() -> None:
    """Workers that only it knows of may be dead: that is said, and the fleet is UNKNOWN."""
    settings = Settings(collector=CollectorConfig(url="http://127.0.0.1:1"))

    fleet = asyncio.run(ask_fleet(cast("Runner", Listed()), settings))

    assert fleet.verdict is Verdict.UNKNOWN
    [finding] = fleet.findings
    assert finding.text.startswith("cannot read the roster of the running exporter: http://127.")


def test_sigterm_cancels_the_work_and_is_the_exit_status(tmp_path: Path) -> None:
    """1. Work waits. 2. SIGTERM arrives. Result: the work cleans up; the status names SIGTERM."""

    async def work() -> None:
        try:
            asyncio.get_running_loop().call_soon(os.kill, os.getpid(), signal.SIGTERM)
            await asyncio.Event().wait()
        finally:
            (tmp_path / "clean").touch()

    with pytest.raises(SystemExit) as caught:
        run(work())
    assert caught.value.code == 143
    assert (tmp_path / "clean").exists()


@pytest.mark.parametrize(
    ("configured", "asked"),
    [({}, 0), ({"interval": "20s"}, 0), ({"requests_per_minute": 600}, 600)],
)
def test_a_command_lists_all_rooms_unless_a_limit_is_configured(
    configured: dict[str, object], asked: int
) -> None:
    """The default limit is of listings that follow each other: one alone would be cut by it."""
    seen: list[AgentsConfig] = []

    class Asked(Listed):
        async def run(self, probe: str, config: object) -> Outcome:
            assert isinstance(config, AgentsConfig)
            seen.append(config)
            return await super().run(probe, config)

    settings = checked(Settings, [Layer({"agents": configured}, {(): "config.yaml"})])
    asyncio.run(ask_fleet(cast("Runner", Asked()), settings))
    assert [each.requests_per_minute for each in seen] == [asked]
