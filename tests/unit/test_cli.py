"""The command line without a server: help, usage, configuration errors, exit status."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest

from exporter.cli import cli, main
from exporter.cli.sfu import _ramp_keys
from exporter.commands.check import CheckOrder
from exporter.commands.once import LatencyOrder, plan_calls
from exporter.commands.runs import LAST
from exporter.demo.options import DemoOptions, demo_options
from exporter.docs.__main__ import main as write_pages
from exporter.docs.cli import cli_page
from exporter.docs.configuration import configuration_page
from exporter.settings.load import load_settings, override
from exporter.settings.settings import Settings
from tests.patience import START_S

FILES = Path(__file__).parent / "config"
HELP_MODULES = 160
"""At most so many are imported for `--help`, those of the interpreter itself included."""
SERVER = ("--url", "ws://127.0.0.1:1", "--api-key", "devkey", "--api-secret", "hunter2")


@pytest.fixture(autouse=True)
def _no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the settings of whoever runs the tests out of them."""
    for name in list(os.environ):
        if name.startswith(("LIVEKIT_", "VOICE_EXPORTER_")):
            monkeypatch.delenv(name)


def stderr_of(capsys: pytest.CaptureFixture[str], *arguments: str, status: int = 2) -> list[str]:
    """Run a command that prints nothing on stdout and return its lines on stderr."""
    assert main(arguments) == status
    captured = capsys.readouterr()
    assert captured.out == ""
    return captured.err.splitlines()


def test_help_is_quick_and_light() -> None:
    """`--help` answers at once because it imports little, and none of the heavy packages."""
    command = [sys.executable, "-X", "importtime", "-m", "exporter", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=START_S)
    assert "latency" in done.stdout
    imported = set(re.findall(r"\| +([\w.]+)$", done.stderr, re.MULTILINE))
    assert "click" in imported
    assert not imported & {"livekit", "numpy", "pydantic", "rich", "yaml", "asyncio"}
    # Time would say more of this machine: half a second is what so many modules take on any.
    assert len({each for each in imported if not each.startswith("coverage")}) < HELP_MODULES


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    """Without a command the help is shown, as an error in usage."""
    assert stderr_of(capsys)[0] == "Usage: voice-exporter [OPTIONS] COMMAND [ARGS]..."


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(
            ["latency", "--trails", "3"],
            "voice-exporter latency: No such option '--trails'.",
            id="unknown option",
        ),
        pytest.param(["latencies"], "voice-exporter: No such command 'latencies'", id="command"),
        pytest.param(
            ["config", "check"],
            "voice-exporter config check: Missing argument 'FILE'",
            id="missing argument",
        ),
        pytest.param(
            ["agents", "--api-secret"],
            "voice-exporter: Option '--api-secret' requires an argument",
            id="missing value",
        ),
    ],
)
def test_wrong_usage(arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A mistake on the command line is one line that names the command, and exit status 2."""
    [printed] = stderr_of(capsys, *arguments)
    assert printed.startswith(line)
    assert printed.endswith("--help")


@pytest.mark.parametrize("command", ["latency", "agents", "calibrate", "serve"])
def test_missing_credentials(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that needs a server says which credentials are missing, before any request."""
    lines = stderr_of(capsys, command)
    assert [line.split(": ")[:3] for line in lines] == [
        [
            "voice-exporter",
            f"livekit.{name}",
            "is missing; expected --"
            + name.replace("_", "-")
            + f", LIVEKIT_{name.upper()}, LIVEKIT_{name.upper()}_FILE, or livekit.{name} "
            "in the configuration file",
        ]
        for name in ("url", "api_key", "api_secret")
    ]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        pytest.param(
            ["latency", *SERVER, "--url", "ftp://h"],
            "--url: has an unknown scheme 'ftp'; "
            "expected ws://, wss://, http:// or https:// and a host",
            id="scheme",
        ),
        pytest.param(
            ["latency", *SERVER, "--agent", "demo", "--wav", __file__],
            f'--wav: "{__file__}": no sound that can be read (Format not recognised); '
            "convert it: ffmpeg -i FILE -ac 1 -ar 48000 NEW.wav",
            id="no sound",
        ),
        pytest.param(
            ["latency", *SERVER, "--trials", "0"],
            "--trials: 0 is too small; expected at least 1",
            id="impossible flag although the agents are not known yet",
        ),
        pytest.param(
            ["latency", *SERVER, "--dispatch", "auto"],
            '--dispatch: "auto" is not known; expected explicit or automatic or token',
            id="word",
        ),
        pytest.param(
            ["calibrate", *SERVER, "--delay", "10s"],
            "--delay: 10s is too long; expected at most 5s",
            id="calibrate",
        ),
        pytest.param(
            ["serve", *SERVER, "--log.level", "loud"],
            '--log.level: "loud" is not known; expected debug or info or warning or error',
            id="serve",
        ),
        pytest.param(
            ["demo", "--llm-failure-rate", "2"],
            "--llm-failure-rate: 2 is too large; expected at most 1",
            id="demo",
        ),
        pytest.param(
            ["demo", "--listen-address", "here"],
            '--listen-address: "here" is not an address; expected HOST:PORT',
            id="demo's address",
        ),
        pytest.param(
            ["agents", "--config", "/nowhere.yaml"],
            "/nowhere.yaml: cannot be read: No such file or directory",
            id="file",
        ),
    ],
)
def test_wrong_configuration(
    arguments: list[str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong value is one line that names the flag or the file, and exit status 2."""
    assert stderr_of(capsys, *arguments) == [f"voice-exporter: {line}"]


def test_secret_given_by_flag_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    """A secret on the command line is repeated by no error."""
    lines = stderr_of(capsys, "latency", *SERVER, "--trials", "x", "--url", "hunter2")
    assert lines
    assert not any("hunter2" in line for line in lines)


def test_config_check_of_a_good_file(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A good file is confirmed with the number of its targets."""
    monkeypatch.setenv("TEST_KEY", "k")
    monkeypatch.setenv("TEST_TRIALS", "7")
    file = str(FILES / "full.good.yaml")
    assert main(["config", "check", file]) == 0
    assert capsys.readouterr() == (f"{file}: ok, 4 targets\n", "")


def test_config_check_warns_of_missing_credentials(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is valid, and the environment of the daemon may have them: exit status 0."""
    monkeypatch.setenv("LIVEKIT_API_KEY", "key")
    (file := tmp_path / "exporter.yaml").write_text("livekit: {url: ws://sfu.example}\n")
    assert main(["config", "check", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.out == f"{file}: ok, 0 targets\n"
    assert printed.err == (
        "voice-exporter: warning: livekit.api_secret: is missing; expected --api-secret, "
        "LIVEKIT_API_SECRET, LIVEKIT_API_SECRET_FILE, or livekit.api_secret in the configuration "
        "file\n"
    )


def test_config_check_of_a_bad_file(capsys: pytest.CaptureFixture[str]) -> None:
    """Every problem of a bad file is a line on stderr."""
    file = str(FILES / "too_short.bad.yaml")
    assert stderr_of(capsys, "config", "check", file) == [
        f"voice-exporter: {file}:5 targets[2].interval: 5s is too short; expected at least 10s",
        f"voice-exporter: {file}:6 targets[2].reply_timeout: 0 is too short; expected more than 0s",
    ]


def test_config_schema_is_a_json_schema(capsys: pytest.CaptureFixture[str]) -> None:
    """`config schema` prints a JSON Schema of draft 2020-12 and nothing else."""
    assert main(["config", "schema"]) == 0
    schema = json.loads(capsys.readouterr().out)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def test_reference_pages_are_those_of_the_code(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/configuration.md and docs/cli.md are what the code says now."""
    assert write_pages(["--check"]) == 0, capsys.readouterr().out


def test_every_option_and_key_is_explained() -> None:
    """No option is without help and no key without a description."""
    page, commands = configuration_page(), cli_page()
    assert " None |" not in page
    assert "|  |\n" not in page
    context = click.Context(cli, **cli.context_settings)
    for name in cli.list_commands(context):
        command = cli.commands[name]
        assert f"## voice-exporter {name}" in commands
        for option in command.params:
            assert getattr(option, "help", "") or isinstance(option, click.Argument), option.name


SHOWN_DEFAULT = re.compile(r"\[default: ([^]]*)\]$")
NO_VALUE = (
    *("never", "random", "none", "built-in clip", "derived from the turns"),
    "no interruptions",
    *("path of that URL", "on Ctrl-C"),
)
"""Words for what happens without the option, where nothing is configured."""
DEMO_ADDRESS = "127.0.0.1:9465"
"""The demo takes a free port if this one is in use: to give it is not the same as the default."""
ON = {"--warmup": "true"}


def shown_defaults(command: click.Command) -> dict[str, str]:
    """Return the value that `--help` shows as the default of each option that shows one."""
    context = click.Context(command)
    records = {
        option.name or "": record[1]
        for option in command.params
        if (record := option.get_help_record(context)) is not None
    }
    found = {name: SHOWN_DEFAULT.search(text) for name, text in records.items()}
    shown = {name: ON.get(each[1], each[1]) for name, each in found.items() if each}
    return {name: text for name, text in shown.items() if text not in NO_VALUE}


def of_sfu(flags: dict[str, Any]) -> tuple[object, ...]:
    """Return what the flags of `sfu` make of the settings."""
    given = dict.fromkeys(("ramp", "duration", "target_rtt_ms", "max_loss", "vantage")) | flags
    distributed = {name: given.pop(f"coordinator_{name}", None) for name in ("address", "port")}
    ramp = _ramp_keys(given)
    settings = Settings()
    return (
        override(settings.sfu, given, "sfu"),
        override(settings.ramp, ramp, "ramp").at(settings.sfu.vantage),
        override(settings.distributed, distributed, "distributed"),
    )


def of_latency(flags: dict[str, Any]) -> object:
    """Return how an agent is called of which only the name is known."""
    return plan_calls(Settings(), LatencyOrder("demo", flags), "demo")


def of_check(flags: dict[str, Any]) -> object:
    """Return what `check` does by these flags."""
    sfu = {name: flags.pop(name, None) for name in ("vantage", "target_rtt_ms", "max_loss")}
    order = CheckOrder("demo", flags, {})
    return plan_calls(Settings(), order.calls(), "demo"), override(Settings().sfu, sfu, "sfu")


def of_serve(flags: dict[str, Any]) -> object:
    """Return the settings of the daemon."""
    return load_settings(None, {name.replace("__", "."): text for name, text in flags.items()}, {})


EFFECTS: dict[str, Callable[[dict[str, Any]], object]] = {
    "latency": of_latency,
    "calibrate": lambda flags: override(Settings().calibrate, flags, "calibrate"),
    "check": of_check,
    "agent-load": lambda flags: override(Settings().agent_load, flags, "agent_load"),
    "sfu": of_sfu,
    "runs": lambda flags: int(flags.get("last", LAST)),
    "serve": of_serve,
    "demo": lambda flags: demo_options({"listen_address": DEMO_ADDRESS} | flags),
}
"""What each command makes of its flags."""


@pytest.mark.parametrize("name", EFFECTS)
def test_a_default_in_the_help_is_what_happens_without_the_option(name: str) -> None:
    """Given as the option's value, it changes nothing: it is the default of the program."""
    shown = shown_defaults(cli.commands[name])
    rates = {each for each in shown if each.endswith("_rate")}
    assert shown
    assert {shown.pop(each) for each in rates} <= {"0"}
    for option, text in shown.items():
        assert EFFECTS[name]({option: text}) == EFFECTS[name]({}), option


def test_no_default_is_written_in_the_help_by_hand() -> None:
    """A value stands where the program has it, and only there."""
    wrong = [
        f"{name} {option.name}: {found[1]}"
        for name, command in cli.commands.items()
        for option in command.params
        if (found := SHOWN_DEFAULT.search(getattr(option, "help", "") or ""))
        and found[1] not in NO_VALUE
    ]
    assert wrong == []
    assert {name for name, each in cli.commands.items() if shown_defaults(each)} == set(EFFECTS)


@pytest.mark.parametrize(
    "words",
    [
        ("latency", "--agent", "a", "--token-url", "ftp://h"),
        ("latency", "--agent", "a", "--token-url", "http://h", "--token-headers-file", "/nowhere"),
        ("latency", "--agent", "a", "--wav", "/nowhere"),
        ("latency", "--agent", "a", "--target-ms", "quick"),
        ("agent-load", "--agent", "a", "--calls", "4,2"),
        ("agent-load", "--agent", "a", "--max-yield-ms", "0"),
        ("serve", "--web.listen-address", "here"),
    ],
    ids=lambda words: words[-2],
)
def test_a_bad_flag_is_named_as_it_is_written(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not as the key that it sets."""
    for name in ("URL", "API_KEY", "API_SECRET"):
        monkeypatch.setenv(f"LIVEKIT_{name}", "ws://127.0.0.1:1")
    assert main(list(words)) == 2
    assert capsys.readouterr().err.startswith(f"voice-exporter: {words[-2]}: ")


def test_demo_flags_become_options() -> None:
    """Times of the demo are written like all durations; what is not given stays the default."""
    options = demo_options({"llm_delay": "2.0", "duration": "1m", "trials": None})
    assert options == DemoOptions(duration=60, llm_delay=2)


def test_parent_process_does_not_load_the_sdk() -> None:
    """What runs in the main process leaves the SDK and sound to the probe processes.

    Also once it has read the configuration of a target, unless that has a sound file of its own.
    """
    target = "from exporter.probes.latency.spec import LatencyConfig; LatencyConfig(agent_name='a')"
    loaded = "print({name.split('.')[0] for name in sys.modules})"
    parents = "exporter.settings.load, exporter.commands.once, exporter.daemon.serve"
    code = f"import sys, {parents}; {target}; {loaded}"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=START_S)
    assert "pydantic" in done.stdout
    assert "'livekit'" not in done.stdout
    assert "'numpy'" not in done.stdout
    assert "'aiohttp'" not in done.stdout
    assert "soundfile" not in done.stdout


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, ...]]:
    """Yield the words of every command."""
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield (*path, name)


def test_each_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    """The example is of that command, and has only options that it knows."""
    for words in commands(cli):
        assert main([*words, "--help"]) == 0
        text = capsys.readouterr().out
        example = f"Example: voice-exporter {' '.join(words)}"
        assert example in " ".join(text.split()), words
        options = re.findall(r"--[a-z.-]+", " ".join(text.split()).partition("Example:")[2])
        assert all(f"  {option}" in text or f", {option}" in text for option in options), words
