"""How many processes follow from a configuration, and what is said where they are too few."""

from pathlib import Path

import pytest

from exporter.cli import main
from exporter.daemon import plan
from exporter.daemon.plan import call_work, demand
from exporter.probes import PROBES
from exporter.probes.latency.spec import LatencyConfig
from exporter.run.demand import Demand
from exporter.settings.settings import Settings

QUIET = {name: {"enabled": False} for name in ("sfu", "reach", "reconnect")}


def settings(targets: int, **more: object) -> Settings:
    """Return a configuration of calls of 40 s each 5 minutes; calibrations share their lane."""
    agents = [{"agent_name": f"agent-{number}"} for number in range(targets)]
    return Settings.model_validate({"targets": agents, **QUIET, **more})


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the host have four cores."""
    monkeypatch.setattr(plan, "cores", lambda: 4.0)


@pytest.mark.usefixtures("cores")
@pytest.mark.parametrize(("targets", "processes"), [(0, 2), (7, 2), (8, 3), (20, 6), (100, 8)])
def test_processes_follow_the_targets_and_the_cores(targets: int, processes: int) -> None:
    """Twice the sum of length / interval, at least 2, at most two for each core."""
    assert demand(settings(targets)).processes == processes


def test_what_no_longer_runs_here_wants_no_process() -> None:
    """Targets come and go, and found agents count; listings and loads do not."""
    wanted = Demand(PROBES, 64)
    works = [call_work(LatencyConfig(agent_name=f"agent-{number}")) for number in range(30)]
    for work in (*works, *works):
        wanted.add(work)
    for other in plan.server_works(Settings.model_validate({"agents": {"interval": 5}, **QUIET})):
        wanted.add(other)
    assert wanted.in_use == pytest.approx(30 * 40 / 300 + 20 / 3600)
    for work in works[:16]:
        wanted.remove(work.id)
    wanted.remove("never there")
    assert wanted.processes == 4


def test_a_long_call_wants_more() -> None:
    """The length of an endurance call is known; no call is longer than its deadline."""
    long = LatencyConfig.model_validate({"agent_name": "a", "endurance": {"length": "10m"}})
    assert long.usual_s == 620
    short = LatencyConfig.model_validate(
        {"agent_name": "a", "trials": 1, "warmup": False, "join_timeout": 1}
    )
    assert short.usual_s == 10


@pytest.mark.parametrize(
    ("cores", "carried"),
    [
        (0.5, "2 (2 x 0.5 cores, at least 2)"),
        (4, "8 (2 x 4 cores)"),
        (100, "64 (2 x 100 cores, at most 64)"),
    ],
)
def test_the_arithmetic_of_a_shortage_is_right(cores: float, carried: str) -> None:
    """A container with half a core has two processes all the same."""
    wanted = Demand(PROBES, cores)
    for number in range(300):
        wanted.add(call_work(LatencyConfig(agent_name=f"agent-{number}")))
    assert f"but this host carries {carried}; " in wanted.shortage(None)


@pytest.mark.usefixtures("cores")
def test_config_check_says_what_is_too_few(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is a warning with the arithmetic: the file is valid, and may be for another host."""
    file = tmp_path / "exporter.yaml"

    def warned(targets: int, pool: str, more: str = "") -> str:
        off = "".join(f"{name}: {{enabled: false}}\n" for name in QUIET)
        agents = "".join(f"- agent_name: agent-{number}\n" for number in range(targets))
        file.write_text(
            f"livekit: {{url: 'ws://a', api_key: k, api_secret: s}}\npool: {{processes: {pool}}}\n"
            f"{off}{more}targets:\n{agents}"
        )
        assert main(["config", "check", str(file)]) == 0
        return capsys.readouterr().err

    start = "voice-exporter: warning: pool.processes: "
    assert warned(29, "auto") == ""
    assert warned(45, "auto") == (
        f"{start}46 targets and probes want 12.0 processes (2 x 6.01, the sum of length / "
        "interval), but this host carries 8 (2 x 4 cores); expected longer intervals, fewer "
        "targets, more cores, or more exporters\n"
    )
    assert warned(29, "3") == (
        f"{start}30 targets and probes want 7.7 processes (2 x 3.87, the sum of length / "
        "interval), but it is 3, and this host carries 8 (2 x 4 cores); expected more processes or "
        "longer intervals, fewer targets, more cores, or more exporters\n"
    )
    assert warned(45, "64").startswith(f"{start}46 targets")
    url_file = tmp_path / "redis-url"
    url_file.write_text("redis://127.0.0.1:1")
    url_file.chmod(0o600)
    fleet = f"group: eu\nstore: {{redis: {{url_file: '{url_file}'}}}}\n"
    assert warned(45, "auto", fleet).endswith(
        "or more exporters; the exporters of group eu share this\n"
    )
