"""docker-compose.yml as types: what the tests ask about each service."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
OWN_IMAGES = ("voice-exporter", "voice-exporter-demo")


@dataclass(frozen=True, slots=True)
class Mount:
    """What a container finds under a path."""

    source: str
    """A path of the tree, or the name of a volume."""
    target: str
    read_only: bool

    @property
    def path(self) -> Path | None:
        """The file or folder of the tree; None for a volume."""
        return ROOT / self.source if self.source.startswith("./") else None


@dataclass(frozen=True, slots=True)
class Published:
    """A port of a container that the host has, too."""

    address: str
    port: int
    target: int


@dataclass(frozen=True, slots=True)
class Service:
    """One service; merged with what it takes from the extensions."""

    name: str
    image: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    published: tuple[Published, ...]
    needs: Mapping[str, str]
    """Services that come before it, and the condition that each has to meet."""
    health: tuple[str, ...]
    """The health check of the compose file; empty where the image has to have one."""
    raw: Mapping[str, Any]

    @property
    def repository(self) -> str:
        """The image without its tag."""
        return self.image.rpartition(":")[0]

    @property
    def tag(self) -> str:
        """The image's tag."""
        return self.image.rpartition(":")[2]

    @property
    def is_own(self) -> bool:
        """Whether the image is built from this tree."""
        return self.repository in OWN_IMAGES

    def flag(self, name: str) -> str:
        """Return the value of `--name=value` in its command."""
        return next(
            part.removeprefix(f"--{name}=")
            for part in self.command
            if part.startswith(f"--{name}=")
        )

    def texts(self) -> Iterator[str]:
        """Every text that may hold an address or a path."""
        yield from self.command
        yield from self.environment.values()
        yield from self.health


@cache
def services() -> Mapping[str, Service]:
    """Return the services by name."""
    return {name: _service(name, raw) for name, raw in document()["services"].items()}


@cache
def document() -> Mapping[str, Any]:
    """Return the whole file; merge keys are resolved."""
    loaded: Mapping[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
    return loaded


def _service(name: str, raw: Mapping[str, Any]) -> Service:
    return Service(
        name=name,
        image=raw["image"],
        command=tuple(raw.get("command", ())),
        environment=raw.get("environment", {}),
        mounts=tuple(_mount(each) for each in raw.get("volumes", ())),
        published=tuple(_published(each) for each in raw.get("ports", ())),
        needs={each: how["condition"] for each, how in raw.get("depends_on", {}).items()},
        health=tuple(raw.get("healthcheck", {}).get("test", ())),
        raw=raw,
    )


def _mount(text: str) -> Mount:
    source, target, *mode = text.split(":")
    return Mount(source, target, mode == ["ro"])


def _published(text: str) -> Published:
    address, port, target = text.split(":")
    return Published(address, int(port), int(target))
