"""Configuration: every bad file with its exact words, precedence, files, and secrets kept."""

from collections.abc import Mapping
from pathlib import Path

import jsonschema
import pytest
import yaml

from exporter.demo import livekit_binary
from exporter.errors import ConfigError
from exporter.probes.calibrate.spec import CalibrateConfig
from exporter.probes.latency import sound
from exporter.probes.latency.spec import LatencyConfig
from exporter.settings.discover import DiscoverConfig
from exporter.settings.load import load_settings, override
from exporter.settings.schema import json_schema
from exporter.settings.settings import Settings

FILES = Path(__file__).parent / "config"
SECRETS = {"TEST_KEY": "key-from-variable", "TEST_TRIALS": "7"}

BAD = sorted(path.name.removesuffix(".bad.yaml") for path in FILES.glob("*.bad.yaml"))


def problems(
    path: Path | None = None,
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
) -> list[str]:
    """Return the lines that loading ends with."""
    with pytest.raises(ConfigError) as caught:
        load_settings(path, flags or {}, environ or {})
    return str(caught.value).splitlines()


def written(folder: Path, text: str) -> Path:
    """Write a configuration file and return its path."""
    path = folder / "voice-exporter.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", BAD)
def test_bad_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bad file gives one line for each problem: file, key, what, what was expected.

    The lines stand in NAME.bad.expected, without the file's name, which is before them.
    """
    monkeypatch.chdir(FILES)
    file = f"{name}.bad.yaml"
    expected = Path(f"{name}.bad.expected").read_text(encoding="utf-8").splitlines()
    assert problems(Path(file)) == [f"{file}{line}" for line in expected]


def test_unreadable_file() -> None:
    """A file that is not there is one line."""
    assert problems(Path("/nowhere/x.yaml")) == [
        "/nowhere/x.yaml: cannot be read: No such file or directory"
    ]


def test_file_that_is_no_text(tmp_path: Path) -> None:
    """A file in another encoding is one line."""
    path = tmp_path / "x.yaml"
    path.write_bytes(b"server_name: \xff\xfe")
    assert problems(path) == [f"{path}: is not UTF-8 text"]


def test_empty_file_means_defaults() -> None:
    """An empty file is the same as none."""
    assert load_settings(FILES / "empty.good.yaml", {}, {}) == Settings()


def test_full_file() -> None:
    """Every way of writing that the documentation allows is understood."""
    settings = load_settings(FILES / "full.good.yaml", {}, SECRETS)
    first, sales, own_token, busy = settings.targets
    assert own_token.token is not None
    assert own_token.token.headers_file == FILES / "full.headers"
    assert (first.interval, first.trials, first.metadata) == (5400, 7, '{"customer": "${name}"}')
    assert (sales.interval, sales.fail_ms, sales.caller.attributes) == (90, 3000, {"tier": "gold"})
    assert (busy.call_type, busy.scenario, busy.greeting_wait) == ("sales", "busy", 0.5)
    assert [window.time_zone for window in busy.windows] == ["Europe/Berlin", "UTC"]
    assert (busy.budget.call_seconds_per_day, busy.budget.price_per_minute) == (7200, 0.05)
    assert [each.model for each in busy.budget.prices] == ["reader", "voice"]
    assert settings.store.folder == FILES / "state"
    assert settings.slo.thresholds == (0.8, 1.5, 2)
    assert (settings.web.host, settings.web.port) == ("::1", 9465)
    assert settings.discover.enabled
    assert settings.calibrate.interval == 86400
    server = settings.server()
    assert (server.api_key, server.api_secret) == ("key-from-variable", "s3cret-from-a-file")
    assert (server.name, server.e2ee_key) == ("test", "s3cret-from-a-file")


def test_flags_over_environment_over_file(tmp_path: Path) -> None:
    """Flags win over the environment, the environment over the file, the file over defaults."""
    path = written(tmp_path, "web: {listen_address: 'file:1'}\nlog: {level: error, format: json}")
    environ = {"VOICE_EXPORTER_WEB__LISTEN_ADDRESS": "env:2", "VOICE_EXPORTER_LOG__LEVEL": "debug"}
    settings = load_settings(path, {"web.listen_address": "flag:3", "log.level": None}, environ)
    assert settings.web.listen_address == "flag:3"
    assert (settings.log.level, settings.log.format) == ("debug", "json")
    assert settings.pool.processes == 2


@pytest.mark.parametrize("layer", ["flag", "environment", "environment file", "file"])
def test_credentials_from_every_place(layer: str, tmp_path: Path) -> None:
    """The API secret is found in each of its places, and a higher place hides a lower one."""
    secret_file = tmp_path / "secret"
    secret_file.write_text("from environment file\n")
    path = written(tmp_path, "livekit: {url: 'ws://h', api_key: k, api_secret: from file}")
    flags = {"livekit.api_secret": "from flag"} if layer == "flag" else {}
    environ = {
        "file": {},
        "environment file": {"LIVEKIT_API_SECRET_FILE": str(secret_file)},
    }.get(layer, {"LIVEKIT_API_SECRET": "from environment"})
    assert load_settings(path, flags, environ).server().api_secret == f"from {layer}"


def test_flag_hides_a_broken_secret_file() -> None:
    """A file named by the environment is not even read when a flag gives the secret."""
    environ = {"LIVEKIT_API_SECRET_FILE": "/nowhere/secret"}
    settings = load_settings(None, {"livekit.api_secret": "given"}, environ)
    assert settings.livekit.api_secret is not None
    assert settings.livekit.api_secret.get_secret_value() == "given"


def test_broken_secret_files(tmp_path: Path) -> None:
    """A missing or empty secret file is named, with the variable that named it."""
    empty = tmp_path / "empty"
    empty.write_text(" \n")
    environ = {"LIVEKIT_API_KEY_FILE": "/nowhere/key", "LIVEKIT_API_SECRET_FILE": str(empty)}
    assert problems(environ=environ) == [
        'LIVEKIT_API_KEY_FILE: "/nowhere/key" cannot be read: No such file or directory',
        f'LIVEKIT_API_SECRET_FILE: "{empty}" is empty; expected a file with the value',
    ]


def test_variable_and_its_file_together() -> None:
    """A credential given twice in the environment is an error, not a guess."""
    environ = {"LIVEKIT_URL": "ws://h", "LIVEKIT_URL_FILE": "/nowhere/url"}
    assert problems(environ=environ) == [
        'LIVEKIT_URL_FILE: "/nowhere/url" cannot be read: No such file or directory',
        "LIVEKIT_URL: conflicts with url_file; expected one of them",
    ]


def test_url_from_a_file_is_checked(tmp_path: Path) -> None:
    """What a file holds is checked like what a variable holds."""
    path = tmp_path / "url"
    path.write_text("ftp://h\n")
    [line] = problems(environ={"LIVEKIT_URL_FILE": str(path)})
    assert line.startswith("LIVEKIT_URL_FILE: has an unknown scheme 'ftp'")


@pytest.mark.parametrize(
    ("environ", "lines"),
    [
        pytest.param(
            {"VOICE_EXPORTER_WEB__LISTENADDRESS": "h:1"},
            ["VOICE_EXPORTER_WEB__LISTENADDRESS: unknown key; did you mean listen_address?"],
            id="unknown",
        ),
        pytest.param(
            {"VOICE_EXPORTER_XYZZY": "h:1"},
            [
                (
                    "VOICE_EXPORTER_XYZZY: unknown key; expected one of server_name, "
                    "max_agent_names, livekit, web, targets, discover, agents, calls, webhooks, "
                    "workers, collector, calibrate, sfu, reach, reconnect, ramp, agent_load, "
                    "distributed, slo, alerts, group, store, evidence, pool, log"
                )
            ],
            id="unknown and like nothing",
        ),
        pytest.param(
            {"VOICE_EXPORTER_POOL__PROCESSES": "0"},
            ["VOICE_EXPORTER_POOL__PROCESSES: 0 is too small; expected at least 1"],
            id="impossible",
        ),
        pytest.param(
            {"VOICE_EXPORTER_TARGETS": "[{agent_name: a, trials: 0}]"},
            ["VOICE_EXPORTER_TARGETS: targets[0].trials: 0 is too small; expected at least 1"],
            id="inside a list",
        ),
        pytest.param(
            {"VOICE_EXPORTER_TARGETS__2__TRIALS": "4"},
            [
                (
                    "VOICE_EXPORTER_TARGETS__2__TRIALS: targets[2]: does not exist; "
                    "expected an index up to 0"
                )
            ],
            id="no such target",
        ),
        pytest.param(
            {
                "VOICE_EXPORTER_TARGETS": "[{agent_name: a, trials: 1}]",
                "VOICE_EXPORTER_TARGETS__0__TRIALS": "4",
            },
            [
                (
                    "VOICE_EXPORTER_TARGETS__0__TRIALS: conflicts with the value of "
                    "VOICE_EXPORTER_TARGETS; expected one of them"
                )
            ],
            id="within a list that is given whole",
        ),
        pytest.param(
            {"VOICE_EXPORTER_TARGETS__0__TRIALS": "4"},
            [
                (
                    "VOICE_EXPORTER_TARGETS__0__TRIALS: targets[0].agent_name: is missing; "
                    "expected a value"
                )
            ],
            id="half a target",
        ),
        pytest.param(
            {"VOICE_EXPORTER_TARGETS": "[{"},
            [
                (
                    "VOICE_EXPORTER_TARGETS: line 1, column 3: expected the node content, "
                    "but found '<stream end>'; expected valid YAML"
                )
            ],
            id="no YAML",
        ),
    ],
)
def test_bad_variable(environ: dict[str, str], lines: list[str]) -> None:
    """What is wrong in the environment names the variable."""
    assert problems(environ=environ) == lines


def test_bad_flag_is_named() -> None:
    """What is wrong on the command line names the flag."""
    assert problems(flags={"web.listen_address": "x", "livekit.url": "h"}) == [
        "--url: is not a URL; expected ws://, wss://, http:// or https:// and a host",
        '--web.listen-address: "x" is not an address; expected HOST:PORT',
    ]


def test_targets_from_the_environment_alone() -> None:
    """Targets, lists and mappings can be written without any file."""
    settings = load_settings(
        None,
        {},
        {
            "VOICE_EXPORTER_TARGETS__0__AGENT_NAME": "demo",
            "VOICE_EXPORTER_TARGETS__0__CALLER__ATTRIBUTES": "{tier: gold}",
            "VOICE_EXPORTER_TARGETS__1__AGENT_NAME": "sales",
            "VOICE_EXPORTER_TARGETS__1__WARMUP": "false",
            "VOICE_EXPORTER_SLO__THRESHOLDS": "800ms, 2",
            "VOICE_EXPORTER_SERVER_NAME": "42",
        },
    )
    demo, sales = settings.targets
    assert (demo.agent_name, demo.caller.attributes) == ("demo", {"tier": "gold"})
    assert (sales.agent_name, sales.warmup) == ("sales", False)
    assert settings.slo.thresholds == (0.8, 2)
    assert settings.server_name == "42"


def test_environment_changes_one_key_of_a_target(tmp_path: Path) -> None:
    """A variable for one key leaves the others of that target as the file has them."""
    path = written(tmp_path, "targets: [{agent_name: demo, trials: 2, target_ms: 900}]")
    settings = load_settings(path, {}, {"VOICE_EXPORTER_TARGETS__0__TRIALS": "9"})
    assert (settings.targets[0].trials, settings.targets[0].target_ms) == (9, 900)


def test_variables_that_are_no_settings() -> None:
    """What Kubernetes sets for a service of our name, or the demo reads, is no typing mistake."""
    environ = {
        livekit_binary.VARIABLE: "/usr/bin/livekit-server",
        "VOICE_EXPORTER_SERVICE_HOST": "10.0.0.1",
        "VOICE_EXPORTER_SERVICE_PORT": "9465",
        "VOICE_EXPORTER_SERVICE_PORT_HTTP": "9465",
        "VOICE_EXPORTER_PORT": "tcp://10.0.0.1:9465",
        "VOICE_EXPORTER_PORT_9465_TCP_ADDR": "10.0.0.1",
        "VOICE_EXPORTER_WEB__LISTEN_ADDRESS": "",
    }
    assert load_settings(None, {}, environ) == Settings()


def test_missing_credentials() -> None:
    """Missing credentials are a line each, and say all the places to put them."""
    with pytest.raises(ConfigError) as caught:
        load_settings(None, {"livekit.api_key": "k"}, {}).server()
    url, secret = str(caught.value).splitlines()
    assert url.startswith("livekit.url: is missing; expected --url, LIVEKIT_URL, LIVEKIT_URL_FILE")
    assert secret.startswith("livekit.api_secret: is missing; expected --api-secret")


@pytest.mark.parametrize(
    ("url", "name"),
    [("wss://a.example.com", "a.example.com"), ("http://[::1]:7880/", "[::1]:7880")],
)
def test_server_is_named_by_its_address(url: str, name: str) -> None:
    """Without a name of its own the server is called by host and port."""
    flags = {"livekit.url": url, "livekit.api_key": "k", "livekit.api_secret": "s"}
    assert load_settings(None, flags, {}).server().name == name


def test_secrets_are_never_shown() -> None:
    """No secret is in the repr, in a dump, in JSON or in the server's repr."""
    settings = load_settings(FILES / "full.good.yaml", {}, SECRETS)
    texts = (repr(settings), str(settings.model_dump()), settings.model_dump_json())
    for text in (*texts, repr(settings.server())):
        assert "s3cret" not in text
    for text in texts:
        assert "key-from-variable" not in text


@pytest.mark.parametrize(
    ("text", "environ"),
    [
        pytest.param("livekit: {api_secret: [hunter2]}", {}, id="list"),
        pytest.param("livekit: {api_secret: {hunter2: hunter2}}", {}, id="mapping"),
        pytest.param("livekit: {api_key: 4442}", {"HIDDEN": "4442"}, id="number"),
        pytest.param("targets: [{trials: '${HIDDEN}'}]", {"HIDDEN": "hunter2"}, id="reference"),
        pytest.param("targets: [{deadline: '${HIDDEN}'}]", {"HIDDEN": "hunter2"}, id="duration"),
        pytest.param("livekit: {url: hunter2}", {}, id="secret as URL"),
    ],
)
def test_secrets_are_not_in_errors(text: str, environ: dict[str, str], tmp_path: Path) -> None:
    """A secret at the wrong place is not repeated by the error about it."""
    lines = problems(written(tmp_path, text), environ=environ)
    assert lines
    assert not any("hunter2" in line or "4442" in line for line in lines)


def test_override_replaces_only_what_is_given() -> None:
    """Flags change the keys they stand for and leave the rest of a target."""
    base = LatencyConfig(agent_name="demo", trials=2, metadata="m")
    changed = override(base, {"trials": "5", "metadata": None}, "target 'demo'")
    assert changed == LatencyConfig(agent_name="demo", trials=5, metadata="m")
    assert "deadline" not in changed.model_fields_set


def test_override_names_the_flag() -> None:
    """An impossible flag of a target is one line with the flag's name."""
    base = LatencyConfig(agent_name="demo")
    flags = {"trials": "0", "reply_timeout": "soon", "utterance.wav": "/nowhere.wav"}
    with pytest.raises(ConfigError) as caught:
        override(base, flags, "target 'demo'")
    assert str(caught.value).splitlines() == [
        "--trials: 0 is too small; expected at least 1",
        '--wav: "/nowhere.wav" cannot be read: No such file or directory; expected a sound file',
        '--reply-timeout: "soon" is no duration; expected one such as 30s or 5m',
    ]


def test_discovered_agents_are_called_like_targets() -> None:
    """What `discover` shares with a target has the same default and the same bounds.

    Not its budget: that is of all found agents together, and nobody has thought about each.
    """
    apart = {"enabled", "exclude", "max_agents", "forget_after", "budget"}
    for name, field in DiscoverConfig.model_fields.items():
        if name not in apart:
            other = LatencyConfig.model_fields[name]
            default, expected = (
                each.get_default(call_default_factory=True, validated_data={"scenario": "default"})
                for each in (field, other)
            )
            assert (name, default, field.metadata) == (name, expected, other.metadata)


def test_deadline_follows_the_turns_unless_it_is_set() -> None:
    """As many turns as are asked for fit into the deadline; one that is written stays."""
    settings = Settings(
        targets=(
            LatencyConfig(agent_name="a", trials=50, reply_timeout=60),
            LatencyConfig(agent_name="b", deadline=900),
        ),
        calibrate=CalibrateConfig(calls=20, trials=20),
    )
    assert settings.targets[0].deadline > 50 * 60
    assert settings.targets[1].deadline == 900
    assert settings.calibrate.deadline > 20 * 20 * settings.calibrate.delay
    short = LatencyConfig(agent_name="c", trials=1)
    assert (short.deadline, CalibrateConfig(calls=1).deadline) == (180, 120)


def test_discovered_agent_without_a_name_joins_by_itself() -> None:
    """An agent without a name cannot be dispatched, so none is requested for it."""
    assert DiscoverConfig().target("").dispatch == "automatic"
    found = DiscoverConfig(trials=1).target("demo")
    assert found == LatencyConfig(agent_name="demo", trials=1, budget=found.budget)


def test_discovery_has_a_budget_unless_none_is_wanted() -> None:
    """Calls to agents that nobody wrote down end at a limit that nobody has to think of."""
    assert DiscoverConfig().target("demo").budget.turns_per_day == 1200
    unlimited = DiscoverConfig.model_validate({"budget": {"turns_per_day": None}})
    assert unlimited.target("demo").budget.turns_per_day is None


def test_schema_accepts_what_loads_and_refuses_what_does_not() -> None:
    """The JSON Schema agrees with the loader about a good file and about unknown keys."""
    validator = jsonschema.Draft202012Validator(json_schema())
    validator.check_schema(json_schema())
    good = yaml.safe_load((FILES / "full.good.yaml").read_text())
    good["agents"] = {}
    assert list(validator.iter_errors(good)) == []
    for name in ("unknown_keys", "wrong_types"):
        bad = yaml.safe_load((FILES / f"{name}.bad.yaml").read_text())
        assert not validator.is_valid(bad)


def test_scores_need_their_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line names what is missing and how it is installed; without scores nothing is."""
    monkeypatch.setattr(sound, "find_spec", lambda _name: None)
    text = "targets: [{{agent_name: a, sound: {{mos: {}}}}}]\n"
    minimal = {"LIVEKIT_URL": "ws://127.0.0.1", "LIVEKIT_API_KEY": "k", "LIVEKIT_API_SECRET": "s"}
    file = written(tmp_path, text.format("true"))
    (line,) = problems(file, environ=minimal)
    assert line == (
        f"{file}:1 targets[0].sound.mos: needs what is not installed: onnxruntime, speechmos; "
        "expected pip install 'livekit-voice-exporter[quality]'"
    )
    load_settings(written(tmp_path, text.format("false")), {}, minimal)
    monkeypatch.setattr(sound, "find_spec", lambda _name: "there")
    load_settings(written(tmp_path, text.format("true")), {}, minimal)
