"""Render the chart, and ask what came out."""

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from tests.deploy.compose import ROOT
from tests.deploy.kubernetes.programs import NEWEST, require_programs

CHART = ROOT / "deploy" / "helm" / "voice-exporter"
VALUES = {
    path.name.removesuffix("-values.yaml"): path for path in sorted(CHART.glob("ci/*-values.yaml"))
}
"""The files of values that are tested, by name."""
RELEASE, NAMESPACE = "prod", "voice"
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Rendered:
    """What a file of values installs."""

    text: str
    objects: tuple[Json, ...]

    def all_of(self, kind: str) -> tuple[Json, ...]:
        """Return the objects of a kind."""
        return tuple(each for each in self.objects if each["kind"] == kind)

    def one(self, kind: str) -> Json:
        """Return the only object of a kind."""
        (found,) = self.all_of(kind)
        return found

    @property
    def pod(self) -> Json:
        """The pod's template."""
        template: Json = self.one("StatefulSet")["spec"]["template"]
        return template

    @property
    def container(self) -> Json:
        """The only container."""
        (found,) = self.pod["spec"]["containers"]
        container: Json = found
        return container

    @property
    def file(self) -> str:
        """The exporter's configuration file."""
        texts = (each["data"].get("voice-exporter.yaml") for each in self.all_of("ConfigMap"))
        (text,) = filter(None, texts)
        return str(text)

    @property
    def mounts(self) -> Mapping[str, Json]:
        """The volumes by the path at which the container has them."""
        spec = self.one("StatefulSet")["spec"]
        claims = [each["metadata"] | each for each in spec.get("volumeClaimTemplates", ())]
        volumes = {each["name"]: each for each in [*self.pod["spec"]["volumes"], *claims]}
        return {each["mountPath"]: volumes[each["name"]] for each in self.container["volumeMounts"]}


@cache
def rendered(name: str) -> Rendered:
    """Return what one of `VALUES` installs."""
    return render(VALUES[name])


def render(values: Path, *options: str) -> Rendered:
    """Run `helm template`; it must be content."""
    done = helm("template", RELEASE, CHART, *_common(values), *options)
    assert done.returncode == 0, done.stderr
    objects = yaml.load_all(done.stdout, Loader=yaml.CSafeLoader)
    return Rendered(done.stdout, tuple(each for each in objects if each))


def refusal(values: Path, *options: str) -> str:
    """Return the line with which helm refuses values."""
    done = helm("template", RELEASE, CHART, *_common(values), *options)
    assert done.returncode != 0, done.stdout
    found = re.search(r'error calling fail: ([^"\n]+)\n', done.stderr)
    return found[1] if found else done.stderr


def helm(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run helm, without any setting of this machine."""
    return subprocess.run(
        [require_programs().helm, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={"HOME": "/nonexistent", "PATH": "/usr/bin:/bin"},
    )


def _common(values: Path) -> tuple[str, ...]:
    # A helm that was built from its module believes in a very old Kubernetes.
    return ("--namespace", NAMESPACE, "--kube-version", f"{NEWEST}.0", "--values", str(values))
