"""What the tests of the chart need: helm, kubeconform, and the schemas of Kubernetes' API.

`python -m tests.deploy.kubernetes.programs` puts all three into the user's cache folder, once.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from exporter.demo.go_build import (
    BuildFailed,
    GoProgram,
    Tell,
    build_once,
    cache_folder,
    find_built,
)

HELM = GoProgram(
    "helm",
    "v3.22.0",
    "helm.sh/helm/v3/cmd/helm",
    shows=("version", "v3.22"),
    minutes="about three minutes",
)
KUBECONFORM = GoProgram(
    "kubeconform", "v0.7.0", "github.com/yannh/kubeconform/cmd/kubeconform", minutes="seconds"
)
OLDEST, NEWEST = "1.25", "1.37"
"""The first version of Kubernetes that the chart accepts, and the last that has a schema."""
_LOCK = Path(__file__).with_name("schemas-requirements.txt")
_SCHEMAS = "kubernetes-schemas-1.37.0-0.80.1"
"""A folder with a name of its own for each set of packages in the lock."""
_HOW = "`make chart-programs` builds them"


@dataclass(frozen=True, slots=True)
class Programs:
    """Where they are."""

    helm: Path
    kubeconform: Path
    schemas: Path
    """A folder for each version of Kubernetes."""


@cache
def require_programs() -> Programs:
    """Return the programs; skip the test where one is missing, which under CI is a failure."""
    environ = os.environ
    helm, kubeconform = (_find(each, environ) for each in (HELM, KUBECONFORM))
    schemas = cache_folder(environ) / _SCHEMAS
    if helm is None or kubeconform is None or not schemas.is_dir():
        (pytest.fail if environ.get("CI") else pytest.skip)(
            f"needs helm, kubeconform and schemas; {_HOW}"
        )
    return Programs(helm, kubeconform, schemas)


def _find(program: GoProgram, environ: Mapping[str, str]) -> Path | None:
    if found := shutil.which(program.name, path=environ.get("PATH")):
        return Path(found)
    return find_built(program, environ)


def _fetch_schemas(environ: Mapping[str, str], tell: Tell) -> None:
    """Keep the schemas of two versions of Kubernetes, and of the Prometheus Operator.

    Raises:
        BuildFailed: The package was not installed.
    """
    target = cache_folder(environ) / _SCHEMAS
    if target.is_dir():
        return
    tell("fetching the schemas of Kubernetes and of the Prometheus Operator")
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="schemas-", dir=target.parent) as folder:
        package = Path(folder) / "package"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-compile", "--no-deps"]
        options = ["--target", str(package), "--require-hashes", "-r", str(_LOCK)]
        done = subprocess.run(
            [*command, *options], capture_output=True, text=True, check=False, timeout=300
        )
        if done.returncode != 0:
            raise BuildFailed(f"packages with schemas were not installed: {done.stderr.strip()}")
        kept = Path(folder) / "kept"
        for version in (OLDEST, NEWEST):
            root = package / "kubernetes_validate" / "kubernetes-json-schema"
            _rewrite(root / f"v{version}.0-local-strict", kept / version)
        _write_operator(package, kept)
        kept.rename(target)


def _write_operator(package: Path, target: Path) -> None:
    """Write the schemas of the Prometheus Operator, from models that are not kept."""
    script = Path(__file__).with_name("operator_schemas.py")
    command = [sys.executable, str(script), str(target)]
    # In a process of its own: the models are 60,000 lines, and need a path that goes away.
    environ = os.environ | {"PYTHONPATH": str(package)}
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=120, env=environ
    )
    if done.returncode != 0:
        raise BuildFailed(f"no schemas of the Prometheus Operator: {done.stderr.strip()}")


def _rewrite(source: Path, target: Path) -> None:
    """Copy schemas: they refer to each other by addresses, which kubeconform would ask for."""
    target.mkdir(parents=True)
    for file in source.glob("*.json"):
        text = file.read_text("utf-8").replace("/api/_definitions.json", "_definitions.json")
        document = json.loads(text)
        document.pop("$id", None)
        (target / file.name).write_text(json.dumps(document), encoding="utf-8")


def main() -> int:
    """Build and fetch what is missing; return the exit status."""

    def tell(line: str) -> None:
        sys.stderr.write(f"{line}\n")

    try:
        for program in (HELM, KUBECONFORM):
            if _find(program, os.environ) is None:
                build_once(program, os.environ, tell)
        _fetch_schemas(os.environ, tell)
    except (BuildFailed, OSError, subprocess.TimeoutExpired) as error:
        tell(f"programs of the chart's tests: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
