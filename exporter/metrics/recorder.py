"""The listener that turns Outcomes into metrics. It knows no probe: their rows say what to write.

It knows what is probed, so that the series of each exist before its first run and go with it.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import time
from typing import Any

from exporter.config.values import ProbeSection
from exporter.metrics import common
from exporter.metrics.registry import Metrics
from exporter.metrics.table import ROWS
from exporter.outcome import Outcome, Verdict
from exporter.probe import Probe
from exporter.probes import PROBES
from exporter.series import Family, Labels, Reading

_Series = tuple[str, Labels]
"""The name of a family and the label values of one of its series."""
_Key = tuple[str, Labels]
"""The name of a probe, and the labels of a target."""


_OF_SERVER = {"agent_name": "", "call_type": "", "scenario": ""}
"""The labels of a target, as probes of the server have them."""


@dataclass(frozen=True, slots=True)
class Streak:
    """How many runs of one probe of one target in a row were not well: alerts ask for these."""

    slow: int = 0
    """How many in a row were SLOW or FAIL."""
    fail: int = 0
    """How many in a row were FAIL."""
    unknown: int = 0
    """How many in a row said nothing, by the prober's own fault."""

    def after(self, verdict: Verdict) -> "Streak":
        """Return the streak with one more run; UNKNOWN says nothing, so it breaks no other row."""
        match verdict:
            case Verdict.UNKNOWN:
                return replace(self, unknown=self.unknown + 1)
            case Verdict.FAIL:
                return Streak(self.slow + 1, self.fail + 1)
            case Verdict.SLOW:
                return Streak(self.slow + 1)
            case Verdict.PASS:
                return Streak()


@dataclass(slots=True)
class _Subject:
    """What one probe probes: a target, or the server."""

    row: Probe[Any, Any]
    config: ProbeSection
    labels: Mapping[str, str]
    reader: Callable[[Any, Outcome], Iterable[Reading]]
    since: float
    """When its verdict began to hold, in Unix time."""
    held: set[_Series] = field(default_factory=set)
    """Series that are there because of it."""
    shown: set[_Series] = field(default_factory=set)
    """Gauges that the last run set, and that the next one must set again to stay."""
    verdict: Verdict = Verdict.UNKNOWN
    streak: Streak = field(default_factory=Streak)
    is_parked: bool = False
    """Another exporter runs it now."""

    @property
    def agent_name(self) -> str:
        """The label; "" for probes of the server."""
        return self.labels["agent_name"]


class Recorder:
    """Records Outcomes. All methods belong to one thread."""

    def __init__(
        self,
        metrics: Metrics,
        vantage: str = "default",
        rows: Mapping[str, Probe[Any, Any]] = PROBES,
        clock: Callable[[], float] = time,
    ) -> None:
        """Start with nothing that is probed.

        Args:
            metrics: What is written to.
            vantage: The label of that name, where a configuration has none of its own.
            rows: The table of probes.
            clock: Unix time.
        """
        self._metrics = metrics
        self._vantage = vantage
        self._rows = rows
        self._clock = clock
        self._subjects: dict[_Key, _Subject] = {}
        self._elsewhere: dict[tuple[str, str], _Subject] = {}
        """By probe and vantage: what was measured elsewhere, and is not run on a schedule here."""
        self._holders: Counter[_Series] = Counter()
        self._minima: dict[_Series, dict[_Key, float]] = {}

    def add(self, probe: str, config: ProbeSection) -> None:
        """Let the series of what is probed exist, at 0; what is known is configured anew."""
        row = self._rows[probe]
        labels = {**_OF_SERVER, "vantage": self._vantage, **row.labels(config)}
        labels |= {"probe": probe, "check": probe, "lane": row.lane}
        key = _key(probe, labels)
        new = _Subject(row, config, labels, row.reader(), self._clock())
        subject = self._subjects.setdefault(key, new)
        subject.config = config
        if subject.is_parked:
            subject.is_parked, subject.reader, subject.since = False, new.reader, new.since
        if subject.labels != labels:
            self._move(key, subject, labels)
        for family in (*row.families, *common.OF_EVERY_PROBE):
            for series in family.first_series(labels):
                self._hold(subject, family, series)
        if (elsewhere := self._elsewhere.pop((probe, labels["vantage"]), None)) is not None:
            self._take_over(subject, elsewhere)
        self._configure(key, subject)
        self._judge(subject)

    def remove(self, probe: str, config: ProbeSection) -> None:
        """Remove the series of what is probed no more, less those that it shares with others."""
        key = _key(probe, {**_OF_SERVER, **self._rows[probe].labels(config)})
        if (subject := self._subjects.pop(key, None)) is not None:
            for series in list(subject.held):
                self._drop(key, subject, series)

    def park(self, probe: str, config: ProbeSection) -> None:
        """Say nothing more of what another exporter probes now, until it is added again.

        What was counted stays: a scrape that comes later must not miss it.
        """
        key = _key(probe, {**_OF_SERVER, **self._rows[probe].labels(config)})
        if (subject := self._subjects.get(key)) is not None:
            for series in [each for each in subject.held if ROWS[each[0]].kind == "gauge"]:
                self._drop(key, subject, series)
            subject.shown, subject.is_parked = set(), True
            subject.verdict, subject.streak = Verdict.UNKNOWN, Streak()

    def reconfigure(self, vantage: str) -> None:
        """Follow a new vantage; the series of another one go."""
        self._vantage = vantage
        for (probe, _), subject in list(self._subjects.items()):
            if not subject.is_parked:
                self.add(probe, subject.config)

    def record(self, outcome: Outcome) -> None:
        """Record a finished run: the listener. One of what was removed meanwhile is dropped."""
        subject = self._subject_of(outcome)
        if subject is None or subject.is_parked:
            return
        readings = [*self._of_every_probe(outcome), *subject.reader(subject.config, outcome)]
        self._show(subject, readings, run_id=outcome.run_id)
        if outcome.verdict is not subject.verdict:
            subject.since = self._clock()
        subject.verdict = outcome.verdict
        subject.streak = subject.streak.after(outcome.verdict)
        self._judge(subject)

    def show(self, probe: str, vantage: str, readings: Iterable[Reading]) -> None:
        """Show what was measured elsewhere, or before a restart: figures, but no run.

        It takes the place of what the last run from that vantage has shown, and the next run takes
        its place.

        Args:
            probe: Whose figures they are.
            vantage: From where.
            readings: What its row would say; none: it is known no longer.
        """
        found = (
            subject
            for (name, _), subject in self._subjects.items()
            if name == probe and subject.labels["vantage"] == vantage
        )
        subject = next(found, None)
        if subject is None:
            row = self._rows[probe]
            labels = {**_OF_SERVER, "vantage": vantage}
            new = _Subject(row, row.config(), labels, row.reader(), self._clock())
            subject = self._elsewhere.setdefault((probe, vantage), new)
        own = {family.name for family in subject.row.families}
        others = frozenset(series for series in subject.shown if series[0] not in own)
        self._show(subject, [*readings], others)
        if not subject.held:
            self._elsewhere.pop((probe, vantage), None)

    def _show(
        self,
        subject: _Subject,
        readings: Sequence[Reading],
        stays: frozenset[_Series] = frozenset(),
        run_id: str = "",
    ) -> None:
        """Write readings; gauges of which they say nothing go, unless they are to stay."""
        for reading in readings:
            self._write(subject, reading, run_id)
        renewed = {self._series(subject, reading) for reading in readings}
        for series in subject.shown - renewed - stays:
            self._release(subject, series)
        subject.shown = {*stays} | {
            self._series(subject, reading)
            for reading in readings
            if reading.family.kind == "gauge" and not reading.family.keeps
        }

    def _take_over(self, subject: _Subject, other: _Subject) -> None:
        """Let a subject have the series of another one of the same vantage."""
        for name, labels in other.held:
            self._hold(subject, ROWS[name], labels)
            self._holders[name, labels] -= 1
        subject.shown |= other.shown

    def skip(self, probe: str, agent_name: str, reason: str) -> None:
        """Count a run that was due and did not start; one of what was removed does not count."""
        subjects = self._of_agent(probe, agent_name)
        for subject in subjects[:1]:
            self._write(subject, common.SKIPPED.read(1, reason=reason))
        for subject in subjects:  # all of them have it, so that it goes with the last
            self._write(subject, common.LAST_SKIP.read(self._clock(), reason=reason))

    def _of_every_probe(self, outcome: Outcome) -> Iterable[Reading]:
        now = self._clock()
        yield common.ATTEMPTS.read(1)
        if outcome.reason is None:
            yield common.LAST_SUCCESS.read(now)
        else:
            yield common.FAILURES.read(1, reason=outcome.reason)
            yield common.FAILED.read(1, reason=outcome.reason)
        yield common.SUCCESS.read(outcome.ok)
        yield common.DURATION.read(outcome.duration_s)
        if outcome.loop_lag_s is not None:
            yield common.LOOP_LAG.read(outcome.loop_lag_s)
        yield common.LAST_RUN.read(now)

    def _subject_of(self, outcome: Outcome) -> _Subject | None:
        """Return what was probed; None if it was removed while the run lasted."""
        if outcome.target:
            return self._subjects.get((outcome.probe, outcome.target))
        return next(iter(self._of_agent(outcome.probe, outcome.agent_name)), None)

    def _of_agent(self, probe: str, agent_name: str) -> list[_Subject]:
        return [
            subject
            for (name, _), subject in self._subjects.items()
            if name == probe and subject.agent_name == agent_name
        ]

    def _judge(self, subject: _Subject) -> None:
        """Show a verdict, of which exactly one state is 1, and for how many runs it holds."""
        for each in Verdict:
            self._write(subject, common.VERDICT.read(each is subject.verdict, verdict=each))
        self._write(subject, common.SINCE.read(subject.since))
        runs = (subject.streak.slow, subject.streak.fail, subject.streak.unknown)
        for unwell, count in zip(common.UNWELL, runs, strict=True):
            self._write(subject, common.STREAK.read(count, verdict=unwell))

    def _configure(self, key: _Key, subject: _Subject) -> None:
        """Show what the configuration says; of several that share a series, the least."""
        interval = common.INTERVAL.read(subject.config.interval)
        readings = (interval, *subject.row.configured(subject.config))
        said = {self._series(subject, reading) for reading in readings}
        for series in [each for each in subject.held if key in self._minima.get(each, {})]:
            if series not in said:
                self._drop(key, subject, series)
        for reading in readings:
            series = self._series(subject, reading)
            self._hold(subject, reading.family, series[1])
            values = self._minima.setdefault(series, {})
            values[key] = reading.value
            self._metrics.set(series[0], min(values.values()), *series[1])

    def _move(self, key: _Key, subject: _Subject, labels: Mapping[str, str]) -> None:
        """Give a subject another vantage: what it has from the one before goes."""
        for series in [each for each in subject.held if "vantage" in ROWS[each[0]].labels]:
            self._drop(key, subject, series)
        subject.labels, subject.shown = labels, subject.shown & subject.held

    def _drop(self, key: _Key, subject: _Subject, series: _Series) -> None:
        """Let a series of a subject go; what others have in it stays as it is."""
        subject.held.discard(series)
        self._holders[series] -= 1
        values = self._minima.get(series, {})
        values.pop(key, None)
        if not self._holders[series]:
            del self._holders[series]
            self._minima.pop(series, None)
            self._metrics.discard(*series)
        elif values:
            self._metrics.set(series[0], min(values.values()), *series[1])

    def _write(self, subject: _Subject, reading: Reading, run_id: str = "") -> None:
        name, labels = self._series(subject, reading)
        self._hold(subject, reading.family, labels)
        match reading.family.kind:
            case "gauge":
                self._metrics.set(name, reading.value, *labels)
            case "counter":
                self._metrics.add(name, reading.value, *labels)
            case "histogram":
                self._metrics.observe(name, reading.value, *labels, run_id=run_id)

    def _series(self, subject: _Subject, reading: Reading) -> _Series:
        return reading.family.name, reading.family.label_values(
            {**subject.labels, **reading.labels}
        )

    def _hold(self, subject: _Subject, family: Family, labels: Labels) -> None:
        series = family.name, labels
        if series not in subject.held:
            subject.held.add(series)
            self._holders[series] += 1
            self._metrics.create(family.name, *labels)

    def _release(self, subject: _Subject, series: _Series) -> None:
        """Let a series of a subject go; one that others have as well is 0 until they set it."""
        subject.held.discard(series)
        self._holders[series] -= 1
        if self._holders[series]:
            self._metrics.set(series[0], 0, *series[1])
        else:
            del self._holders[series]
            self._metrics.discard(*series)


def _key(probe: str, labels: Mapping[str, str]) -> _Key:
    """Return what tells a subject from all others."""
    return probe, tuple(labels[name] for name in _OF_SERVER)
