"""Start a real Prometheus and a real Alertmanager on 127.0.0.1, and ask them."""

import math
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

from exporter.demo.livekit_server import free_ports
from exporter.demo.processes import Child
from tests import patience
from tests.patience import until

PROGRAMS = {
    "prometheus": ("prometheus",),
    "promtool": ("promtool",),
    "alertmanager": ("prometheus-alertmanager", "alertmanager"),  # Debian's name, and its own
}
_ATTEMPTS = 3
_ANSWER_WITHIN_S = 60.0
Labels = Mapping[str, str]
_Kind = TypeVar("_Kind", bound="Service")


def find_program(name: str) -> str | None:
    """Return the path of one of `PROGRAMS`, None where the machine lacks it."""
    return next(filter(None, map(shutil.which, PROGRAMS[name])), None)


def missing_programs() -> str:
    """Return which of `PROGRAMS` this machine lacks, "" for none."""
    missing = [name for name in PROGRAMS if find_program(name) is None]
    packages = "; Debian has them in prometheus and prometheus-alertmanager"
    return f"not on PATH: {', '.join(missing)}{packages}" if missing else ""


def require_programs() -> None:
    """Skip the test where one of `PROGRAMS` is missing; under CI that is a failure."""
    if why := missing_programs():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an answer: its labels, and the last of its values."""

    labels: Labels
    value: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What Prometheus says to an expression."""

    series: tuple[Series, ...] = ()
    warnings: tuple[str, ...] = ()
    error: str = ""
    """Why it has no answer."""

    @property
    def numbers(self) -> tuple[Series, ...]:
        """The series that have a number: a quotient of nothing is NaN, and draws nothing."""
        return tuple(each for each in self.series if not math.isnan(each.value))


class Service:
    """A program with an HTTP API that runs beside us."""

    def __init__(self, child: Child, url: str) -> None:
        """Take over a program that was started.

        Args:
            child: Its process.
            url: Where it answers.
        """
        self.child = child
        self.url = url
        # What the environment says of proxies is not for this address.
        self._http = httpx.Client(base_url=url, timeout=_ANSWER_WITHIN_S, trust_env=False)

    def close(self) -> None:
        """End it."""
        self._http.close()
        self.child.stop(grace_s=5.0)

    @property
    def is_ready(self) -> bool:
        """Whether it says so.

        Raises:
            RuntimeError: It has ended; the message has its last lines.
        """
        if self.child.exit_code is not None:
            raise RuntimeError(self.child.obituary())
        with suppress(httpx.HTTPError):
            return self._http.get("/-/ready").is_success
        return False


class Prometheus(Service):
    """A running Prometheus."""

    moment: float | None = None
    """When expressions are evaluated, in Unix time; now if not set. A scrape that came too late,
    on a busy machine, ends every series: at the last one that was in time they are all there."""

    def ask(self, expression: str, at: float | None = None) -> Answer:
        """Evaluate an expression, at another moment than `moment` if one is given."""
        moment = self.moment if at is None else at
        when = time.time() if moment is None else moment
        return self._answer("query", query=expression, time=when)

    def ask_range(self, expression: str, seconds: float, step_s: float) -> Answer:
        """Evaluate an expression again and again over the time up to now, as a graph does."""
        now = time.time() if self.moment is None else self.moment
        return self._answer(
            "query_range", query=expression, start=now - seconds, end=now, step=step_s
        )

    def series(self, selector: str, seconds: float = 3600) -> tuple[Labels, ...]:
        """Return the labels of every series that the selector matches over the time up to now."""
        start = time.time() - seconds
        return tuple(self._data("series", **{"match[]": selector, "start": start}))

    def label_values(self, label: str, selector: str = "") -> tuple[str, ...]:
        """Return the values of a label, of the series that the selector matches or of all."""
        match = {"match[]": selector} if selector else {}
        return tuple(self._data(f"label/{label}/values", **match))

    def exemplars(self, selector: str, seconds: float = 3600) -> list[dict[str, Any]]:
        """Return every exemplar that is stored of the series that the selector matches."""
        now = time.time()
        found = self._data("query_exemplars", query=selector, start=now - seconds, end=now + 60)
        return [exemplar for each in found for exemplar in each["exemplars"]]

    def rules(self) -> list[dict[str, Any]]:
        """Return every rule with its state, as the API tells it."""
        return [rule for group in self._data("rules")["groups"] for rule in group["rules"]]

    def let_rules_be_evaluated(self, times: int) -> None:
        """Wait until every rule has been evaluated so many times more."""
        for _ in range(times):
            began = datetime.now(UTC)
            until(lambda: self._evaluated_since(began), patience.START_S, "every rule")  # noqa: B023

    def _evaluated_since(self, moment: datetime) -> bool:
        moments = (datetime.fromisoformat(rule["lastEvaluation"]) for rule in self.rules())
        return all(each > moment for each in moments)

    def _data(self, path: str, **parameters: object) -> Any:
        body = self._get(path, **parameters)
        assert body["status"] == "success", (path, parameters, body)
        return body["data"]

    def _answer(self, path: str, **parameters: object) -> Answer:
        body = self._get(path, **parameters)
        warnings = (*body.get("warnings", ()), *body.get("infos", ()))
        if body["status"] != "success":
            return Answer(warnings=warnings, error=str(body["error"]))
        kind, result = body["data"]["resultType"], body["data"]["result"]
        if kind in {"scalar", "string"}:
            return Answer((Series({}, float(result[1])),), warnings)
        found = (Series(each["metric"], _last_number(each)) for each in result)
        return Answer(tuple(found), warnings)

    def _get(self, path: str, **parameters: Any) -> dict[str, Any]:
        # POST: expressions may be longer than a URL.
        if path.startswith("query"):
            answer = self._http.post(f"/api/v1/{path}", data=parameters)
        else:
            answer = self._http.get(f"/api/v1/{path}", params=parameters)
        return dict(answer.json())


def _last_number(result: Mapping[str, Any]) -> float:
    """Return the value, or the latest of several that is a number."""
    pairs: Sequence[Sequence[Any]] = result.get("values") or [result["value"]]
    numbers = [float(value) for _, value in pairs]
    return next((each for each in reversed(numbers) if not math.isnan(each)), math.nan)


class Alertmanager(Service):
    """A running Alertmanager."""

    def alerts(self) -> list[dict[str, Any]]:
        """Return every alert that it knows, with its state, as the API tells it."""
        return list(self._http.get("/api/v2/alerts").json())

    def take(self, alerts: Sequence[Mapping[str, Any]]) -> None:
        """Send it alerts, as a Prometheus would."""
        self._http.post("/api/v2/alerts", json=list(alerts)).raise_for_status()


@contextmanager
def run_prometheus(
    folder: Path,
    configuration: Mapping[str, object],
    *,
    data: Path | None = None,
    flags: Sequence[str] = (),
) -> Iterator[Prometheus]:
    """Run a Prometheus until the block ends.

    Args:
        folder: Takes its configuration, its data and its log.
        configuration: Of its own kind.
        data: Where its data is, if there is some already.
        flags: Further ones of its command line.

    Raises:
        RuntimeError: It ended; the message has its last lines.
        AssertionError: It was not ready in time.
    """
    config = folder / "prometheus.yaml"
    config.write_text(yaml.safe_dump(dict(configuration)), encoding="utf-8")
    arguments = (
        f"--config.file={config}",
        f"--storage.tsdb.path={data or folder / 'prometheus'}",
        # Else what fires before it has found its Alertmanager is sent after a minute only.
        "--rules.alert.resend-delay=5s",
        *flags,
    )

    with _running(Prometheus, "prometheus", folder, arguments) as prometheus:
        yield prometheus


@contextmanager
def run_alertmanager(folder: Path, configuration: Mapping[str, object]) -> Iterator[Alertmanager]:
    """Run an Alertmanager until the block ends; arguments and errors as of `run_prometheus`."""
    config = folder / "alertmanager.yaml"
    config.write_text(yaml.safe_dump(dict(configuration)), encoding="utf-8")
    arguments = (
        f"--config.file={config}",
        f"--storage.path={folder / 'alertmanager'}",
        "--cluster.listen-address=",  # one, that looks for no others
    )

    with _running(Alertmanager, "alertmanager", folder, arguments) as alertmanager:
        yield alertmanager


@contextmanager
def _running(
    kind: type[_Kind], name: str, folder: Path, arguments: Sequence[str]
) -> Iterator[_Kind]:
    service = _start(kind, name, folder, arguments)
    try:
        yield service
    finally:
        service.close()


def _start(kind: type[_Kind], name: str, folder: Path, arguments: Sequence[str]) -> _Kind:
    """Start a program and wait until it is ready; again if someone else took its port."""
    program = find_program(name)
    assert program is not None, f"{name} is not on PATH"
    for _ in range(_ATTEMPTS):
        address = f"127.0.0.1:{free_ports().signal}"
        argv = [program, *arguments, f"--web.listen-address={address}"]
        child = Child(name, argv, log=folder / f"{name}.log")
        service = kind(child, f"http://{address}")
        try:
            until(lambda: service.is_ready, patience.START_S, name)  # noqa: B023 - called at once
        except RuntimeError:
            service.close()
            if "address already in use" not in child.tail():
                raise
        except BaseException:
            service.close()
            raise
        else:
            return service
    raise RuntimeError(f"{name} found its port taken {_ATTEMPTS} times")
