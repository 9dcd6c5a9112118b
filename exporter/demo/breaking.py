"""Break the agent of a running demo in a way that people meet, and mend it again."""

import os
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import httpx

from exporter.config.error_messages import did_you_mean
from exporter.demo.ready import announced
from exporter.errors import ConfigError

FOLDER = "voice-exporter-demo-"
"""How the folder of a demo begins; it holds the address of its providers, and its configuration."""
CONFIG = "voice-exporter.yaml"
"""Name of the configuration there."""
_TIMEOUT_S = 5.0

Change = Mapping[str, Mapping[str, object]]
"""What differs in the settings of the demo (`DemoSettings`)."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break the agent."""

    about: str
    """What it then does."""
    shown: str
    """Where it shows. A command has the bare name of the demo's configuration in it."""
    change: Change
    """What is set."""

    def shown_by(self, config: Path) -> str:
        """Return where it shows, with a command that can be run as it is.

        Args:
            config: The configuration of the demo.
        """
        return self.shown.replace(CONFIG, str(config))


FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "slow": Fault(
            "its language model thinks for 2.5 s",
            "status page: SLOW, and llm is the longest part of the turn",
            {"llm": {"delay_s": 2.5}},
        ),
        "deaf": Fault(
            "it mutes its input",
            "status page: FAIL, no_reply: it heard no voice",
            {"agent": {"deaf": True}},
        ),
        "rude": Fault(
            "it tells stories and talks on when it is interrupted",
            f"voice-exporter latency --config {CONFIG} --agent demo --scenario barge_in: talked_on",
            {"agent": {"interruptible": False}, "llm": {"story": True}},
        ),
        "dead": Fault(
            "its worker is up and takes no calls",
            "status page: FAIL, no_worker",
            {"agent": {"takes_calls": False}},
        ),
        "noisy": Fault(
            "its voice is far too loud, and clipped",
            "status page: SLOW, clipping; the run has the sound",
            {"tts": {"gain": 12.0}},
        ),
    }
)


def break_agent(name: str, providers: str | None) -> str:
    """Break the agent in one way, and in no other, from its next call on.

    Args:
        name: One of `FAULTS`.
        providers: Address of the demo's providers; None finds the demo of this user.

    Returns:
        Where it shows.

    Raises:
        ConfigError: There is no such fault, or no demo runs.
    """
    if name not in FAULTS:
        near = did_you_mean(name, FAULTS)
        raise ConfigError(f"{name}: is no fault; expected one of {', '.join(FAULTS)}{near}")
    return FAULTS[name].shown_by(_change(FAULTS[name].change, providers))


def mend_agent(providers: str | None) -> None:
    """Let the agent behave as it did when the demo was started.

    Raises:
        ConfigError: No demo runs.
    """
    _change({}, providers)


def _change(change: Change, providers: str | None) -> Path:
    """Change the settings of a demo, and return its configuration."""
    demos = list(_running())
    if providers:  # one of another host has its configuration there
        demos = [each for each in demos if each[0] == providers] or [(providers, Path(CONFIG))]
    for url, config in demos:
        try:
            httpx.delete(f"{url}/settings", timeout=_TIMEOUT_S).raise_for_status()
            httpx.put(f"{url}/settings", json=change, timeout=_TIMEOUT_S).raise_for_status()
        except (httpx.HTTPError, httpx.InvalidURL):
            continue
        return config
    what = f"{providers} does not answer" if providers else "no demo runs here"
    raise ConfigError(f"{what}; expected one that was started by voice-exporter demo")


def _running() -> Iterator[tuple[str, Path]]:
    """Yield providers and configuration of each demo, of that which was started last first."""
    found = [
        (file.stat().st_mtime, file)
        for file in Path(tempfile.gettempdir()).glob(f"{FOLDER}*/providers.url")
        if file.stat().st_uid == os.getuid()  # what others put there is not to be asked
    ]
    for _, file in sorted(found, reverse=True):
        if url := announced(file):
            yield url, file.parent / CONFIG
