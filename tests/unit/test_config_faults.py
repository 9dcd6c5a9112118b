"""Every fault of a configuration is reported at once: file, line, key, value, expectation."""

import re
import time
from pathlib import Path

import pytest

from exporter.cli import main
from exporter.errors import ConfigError
from exporter.probes import PROBES
from exporter.settings.load import load_settings
from exporter.settings.settings import Settings

# Line of a document, key, part of the message; the documents are read all together and one by one.
FAULTS: tuple[tuple[str, str, str], ...] = (
    ("calls: {short_below: soon}", "calls.short_below", '"soon" is no duration'),
    ("webhooks: {expected: 7}", "webhooks.expected", "7 is a number; expected true or false"),
    ("evidence: {keep: some}", "evidence.keep", '"some" is not known; expected'),
    ("server_name: ''", "server_name", "is empty; expected text"),
    ("max_agent_names: -1", "max_agent_names", "-1 is too small; expected at least 0"),
    ("livekit: {url: 'ftp://h'}", "livekit.url", "has an unknown scheme 'ftp'; expected ws://"),
    (
        "livekit: {api_secret: hunter2, api_secret_file: hunter2}",
        "livekit.api_secret_file",
        '"hunter2" cannot be read',
    ),
    (
        "web: {listen_address: here}",
        "web.listen_address",
        '"here" is not an address; expected HOST:PORT',
    ),
    ("web: {token: 'hunter 2'}", "web.token", "cannot be sent in a header"),
    (
        "targets: [{agent_name: a, interval: 5 minutes}]",
        "targets[0].interval",
        '"5 minutes" is no duration; try 5m',
    ),
    (
        "targets: [{agent_name: a, deadline: 1.5 h, interval: 30 Sec}]",
        "targets[0].interval",
        '"30 Sec" is no duration; try 30s',
    ),
    (
        "targets: [{agent_name: a, target_ms: 900, fail_ms: 800, trials: x}]",
        "targets[0].fail_ms",
        "800 must be above target_ms, which is 900",
    ),
    (
        "targets: [{agent_name: a, fail_ms: 800, bugdet: {}}]",
        "targets[0].fail_ms",
        "800 must be above target_ms, which is 1500 (the default)",
    ),
    ("targets: [{agent_name: a, bugdet: {}}]", "targets[0].bugdet", "did you mean budget?"),
    (
        "targets: [{agent_name: a}, {agent_name: a, trials: 0}]",
        "targets[1]",
        "has the same agent_name, call_type and scenario as targets[0]",
    ),
    (
        "targets: [{agent_name: a, dispatch: token}]",
        "targets[0].dispatch",
        '"token" needs the key token with the url of an endpoint',
    ),
    (
        "targets: [{agent_name: a, token: {url: 'ws://h'}}]",
        "targets[0].token.url",
        "has an unknown scheme 'ws'; expected http://",
    ),
    (
        "targets: [{agent_name: a, token: {url: 'https://h', headers_file: none}}]",
        "targets[0].token.headers_file",
        '"none" cannot be read: No such file',
    ),
    (
        "targets: [{agent_name: a, token: {url: 'https://h', method: GET, body: x}}]",
        "targets[0].token.body",
        "needs method POST",
    ),
    (
        "targets: [{agent_name: a, dispatch: token, metadata: x, token: {url: 'https://h'}}]",
        "targets[0].metadata",
        "conflicts with dispatch: token; expected it in the token",
    ),
    (
        "targets: [{agent_name: a, room_name: r, token: {url: 'https://h'}}]",
        "targets[0].room_name",
        "conflicts with token, which says it",
    ),
    ("targets: [x]", "targets[0]", '"x" is text; expected a mapping'),
    ("targets: 7", "targets", "7 is a number; expected a list"),
    (
        "targets: [{agent_name: a, labels: {job: x, 2nd: y}}]",
        "targets[0].labels.2nd",
        "is not the name of a label",
    ),
    (
        "targets: [{agent_name: a, script: [{wav: none.wav, say: {text: ''}}]}]",
        "targets[0].script[0].say.text",
        "is empty; expected text",
    ),
    (
        "targets: [{agent_name: a, sound: {min_level_dbfs: loud}}]",
        "targets[0].sound.min_level_dbfs",
        "",
    ),
    (
        "targets: [{agent_name: a, budget: {turns_per_day: 1}, trials: 2, metadata: 7}]",
        "targets[0].budget.turns_per_day",
        "1 is less than the turns of one call; expected at least 3",
    ),
    (
        "discover: {budget: {turns_per_day: 2}, interval: often}",
        "discover.budget.turns_per_day",
        "2 is less than the turns of one call",
    ),
    (
        "targets: [{agent_name: a, endurance: {length: 30s}}]",
        "targets[0].endurance.length",
        "30s must be above ask_every, which is 60 (the default)",
    ),
    ("agents: {interval: 0}", "agents.interval", "0 is too short; expected at least"),
    ("workers: {scrape: ['ftp://h']}", "workers.scrape[0]", "has an unknown scheme; expected"),
    ("collector: {url: nowhere}", "collector.url", "is not a URL of an exporter; expected http"),
    ("calibrate: {trials: 1000}", "calibrate.trials", "1000 is too large; expected at most 100"),
    (
        "sfu: {max_loss: 20, pings: few}",
        "sfu.fail_loss",
        "10 (the default) must be above max_loss, which is 20",
    ),
    ("reach: {deadline: [1]}", "reach.deadline", "a list is no duration"),
    ("reconnect: {deadline: 1s}", "reconnect.deadline", "1s cannot hold the test"),
    ("ramp: {enabled: true, duration: 0}", "ramp.enabled", "needs windows; expected"),
    ("ramp: {tiers: [10, 2]}", "ramp.tiers", "is not increasing"),
    ("agent_load: {enabled: true}", "agent_load.enabled", "needs max_calls; expected the maximum"),
    ("ramp: {max_clients: 20}", "ramp.tiers", "(the default) is above max_clients, 20"),
    ("distributed: {tls_key: k, port: -1}", "distributed.tls_certificate", "is missing; expected"),
    ("slo: {objective: 99}", "slo.objective", "99 is too large; expected less than 1"),
    ("alerts: {max_void_ratio: 2}", "alerts.max_void_ratio", "2 is too large"),
    ("group: blue", "group", "needs store.redis.url_file, which is not set; expected both"),
    ("store: {max_runs: 3}", "store.max_runs", "3 is too small; expected at least 100"),
    ("pool: 7", "pool", "7 is a number; expected a mapping"),
    (
        "pool: {processes: many}",
        "pool.processes",
        '"many" is text; expected auto or a whole number',
    ),
    ("pool: {processes: '${NOWHERE}'}", "pool.processes", "${NOWHERE} is not set; expected"),
    ("log: {level: loud}", "log.level", '"loud" is not known; expected debug or info'),
    ("logs: {level: debug}", "logs", "unknown key; did you mean log?"),
    ("log: {level: info, level: debug}", "log.level", "is a duplicate of line 2; expected"),
)


def lines_of(file: Path, text: str) -> list[str]:
    """Return what is reported about a configuration."""
    file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {}, {})
    return str(caught.value).splitlines()


@pytest.mark.parametrize(("text", "key", "words"), FAULTS)
def test_a_fault_has_its_place(text: str, key: str, words: str, tmp_path: Path) -> None:
    """The line has file, line and key, what stands there, and what was expected; no secret."""
    file = tmp_path / "broken.yaml"
    lines = lines_of(file, f"# a comment\n{text}\n")
    places = [line for line in lines if line.startswith(f"{file}:2 {key}: ")]
    assert places, lines
    assert any(words in line for line in places), lines
    assert not any("None" in line for line in lines)
    assert not any("hunter 2" in line for line in lines)
    assert len(lines) == len(set(lines))


def test_every_section_has_a_fault_in_the_table() -> None:
    """A section that is added needs a row."""
    rows = {re.split(r"[.\[]", key)[0] for _, key, _ in FAULTS}
    assert set(Settings.model_fields) <= rows
    assert {name for name in PROBES if name != "latency"} <= rows


def test_faults_do_not_hide_each_other(tmp_path: Path) -> None:
    """One document with faults of every kind has them all, in the order of its lines."""
    text = """
livekit: {urll: x}
targets:
  - agent_name: a
    fail_ms: 1000
    interval: 5 minutes
    labels: {job: x, 2nd: y}
  - agent_name: a
    trials: 0
    trials: 2.5
    windows: [{hours: 8-20}, {}]
    budget: {turns_per_day: soon, prices: [{model: m}, {model: m, llm: 1}]}
  - trials: 3
    page_on: slaw
sfu: {max_loss: 20}
"""
    file = tmp_path / "broken.yaml"
    places = [line.split(": ")[0] for line in lines_of(file, text)]
    assert places == [
        f"{file}:{place}"
        for place in (
            "2 livekit.urll",
            "5 targets[0].fail_ms",
            "6 targets[0].interval",
            "7 targets[0].labels.job",
            "7 targets[0].labels.2nd",
            "8 targets[1]",
            "10 targets[1].trials",
            "10 targets[1].trials",
            "11 targets[1].windows[0].hours",
            "11 targets[1].windows[1]",
            "12 targets[1].budget.turns_per_day",
            "12 targets[1].budget.prices[1].llm",
            "12 targets[1].budget.prices[1].model",
            "13 targets[2].agent_name",
            "14 targets[2].page_on",
            "15 sfu.fail_loss",
        )
    ]


def test_a_fault_leads_to_no_other(tmp_path: Path) -> None:
    """What cannot be known is not compared with: its default is not what was meant."""
    text = "targets: [{agent_name: a, target_ms: fast, fail_ms: 1000, deadline: 1 fortnight}]"
    lines = lines_of(tmp_path / "broken.yaml", text)
    assert [line.split(": ")[0].rpartition(" ")[2] for line in lines] == [
        "targets[0].target_ms",
        "targets[0].deadline",
    ]


def test_faults_of_all_places_together(tmp_path: Path) -> None:
    """Flags, variables and the file are named each as the source of what is wrong."""
    file = tmp_path / "broken.yaml"
    file.write_text("log: {level: loud}\nsfu: {max_loss: 20}")
    environ = {"VOICE_EXPORTER_POOL__PROCESSES": "0", "VOICE_EXPORTER_SFU__PINGS": "many"}
    with pytest.raises(ConfigError) as caught:
        load_settings(file, {"web.listen_address": "here"}, environ)
    lines = str(caught.value).replace(f"{tmp_path}/", "").splitlines()
    sources = [re.split(r"[ :]", line)[0] for line in lines]
    assert sources == [
        "--web.listen-address",
        "VOICE_EXPORTER_SFU__PINGS",
        "VOICE_EXPORTER_POOL__PROCESSES",
        "broken.yaml",
        "broken.yaml",
    ]


def test_config_check_reports_the_web_file_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Both files are read; stdout stays empty, the status is 2."""
    web = tmp_path / "web.yml"
    web.write_text("rate_limit: {interval: 1s}\nhttp_server_config: {http2: maybe}\n")
    file = tmp_path / "broken.yaml"
    file.write_text("web: {config_file: web.yml}\nlog: {level: loud}\n")
    assert main(["config", "check", str(file)]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [
        (
            f'voice-exporter: {file}:2 log.level: "loud" is not known; expected debug or info or '
            "warning or error"
        ),
        (
            f"voice-exporter: {web}:1 rate_limit.burst: is missing, so every request would be "
            "refused; expected at least 1"
        ),
        (
            f'voice-exporter: {web}:2 http_server_config.http2: "maybe" is text; expected true or '
            "false"
        ),
    ]


def test_every_command_reads_the_file_the_same_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--json` as well: no document, all faults on stderr, status 2."""
    file = tmp_path / "broken.yaml"
    file.write_text("sfu: {max_loss: 20}\npool: {processes: 0}\n")
    for command in (["agents"], ["latency"], ["sfu"], ["check"], ["calibrate"]):
        assert main([*command, "--json", "--config", str(file)]) == 2
        out, err = capsys.readouterr()
        assert (out, len(err.splitlines())) == ("", 2)


def test_a_large_broken_file_is_read_in_time(tmp_path: Path) -> None:
    """Two hundred faulty targets are reported within seconds."""
    text = "targets:\n" + "".join(
        f"  - {{agent_name: a{number}, trials: 0, target_ms: 900, fail_ms: 800}}\n"
        for number in range(200)
    )
    began = time.process_time()
    assert len(lines_of(tmp_path / "broken.yaml", text)) == 400
    assert time.process_time() - began < 20
