"""Why an agent is not well, in words: from its last call, those before, its workers, its callers.

All of it is a function of what is known; no page is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from operator import attrgetter
from statistics import median

from exporter.colors import COMPONENTS
from exporter.outcome import CallResult, Cause, Components, Listing, Outcome, Reason, Verdict
from exporter.probes.latency.spec import LatencyConfig
from exporter.roster.types import Worker, WorkerStatus
from exporter.store.records import RunRecord
from exporter.web.past import Past, PastRun, why_failed
from exporter.web.times import plural, span

PART_WORDS: Mapping[str, str] = {
    name: {"llm": "LLM", "tts": "TTS"}.get(name, name.replace("_", " ")) for name in COMPONENTS
}
"""Components as people say them."""
_IN_SERVICE = (WorkerStatus.IDLE, WorkerStatus.BUSY, WorkerStatus.FULL)
_OF_WORKERS = frozenset({Reason.NO_WORKER, Reason.JOIN_TIMEOUT, Reason.DISPATCH_FAILED})
"""Reasons for which the workers are the next to look at, also when none is lost."""
_HEADS: Mapping[Cause | None, str] = {
    Cause.TURN_TAKING: "turn-taking",
    Cause.WORDS: "words",
    Cause.GAP: "dead air",
    Cause.SOUND: "sound",
    Cause.LOSS: "packet loss",
}
"""What made a call SLOW, where it was not its latency."""
_TODAY = timedelta(hours=24)
_NOTABLE_S = 0.05
"""By so much a component must exceed its median to be named for it."""
_AS_EVER = 12
"""So many calls in a row of one verdict, and none known of another, are no change."""


@dataclass(frozen=True, slots=True)
class Why:
    """Why a row has its verdict."""

    head: str = ""
    """In two or three words: the reason, or the component that is slow."""
    text: str = ""
    """Sentences."""


@dataclass(frozen=True, slots=True)
class Serving:
    """Who serves an agent, and who waits for it."""

    known: int = 0
    """Workers that are known at all."""
    in_service: int = 0
    draining: int = 0
    lost: int = 0
    callers: int = 0
    """People in rooms for which nobody took the dispatch."""
    oldest_s: float = 0.0
    """How long the first of them has waited."""

    def __str__(self) -> str:
        parts = []
        if self.known:
            some = ((self.lost, "lost"), (self.draining, "draining"))
            counts = [f"{count} {word}" for count, word in some if count]
            parts.append(f"workers: {', '.join((*counts, f'{self.in_service} in service'))}")
        if self.callers:
            waits = plural(self.callers, "caller waits", "callers wait")
            parts.append(f"{waits}, the oldest {span(self.oldest_s)}")
        return "; ".join(parts)

    @property
    def is_short(self) -> bool:
        """Whether something is wrong with the workers, or someone waits for them."""
        return bool(self.lost or self.callers or (self.known and not self.in_service))


def serving(workers: Iterable[Worker], listing: Outcome | None) -> dict[str, Serving]:
    """Return who serves each agent, by its name.

    Args:
        workers: Everyone on the roster.
        listing: The last one of rooms and dispatches.
    """
    kinds: Counter[tuple[str, str]] = Counter()
    for each in workers:
        kind = "lost" if each.is_lost else each.status
        kinds[each.agent_name, "in_service" if each.status in _IN_SERVICE else kind] += 1
        kinds[each.agent_name, "known"] += 1
    found = listing.result if listing is not None else None
    waiting = [each for each in found.pending if each.humans] if isinstance(found, Listing) else []
    oldest: dict[str, float] = {}
    for room in waiting:
        kinds[room.agent_name, "callers"] += room.humans
        oldest[room.agent_name] = max(room.age_s, oldest.get(room.agent_name, 0.0))
    return {
        name: Serving(
            known=kinds[name, "known"],
            in_service=kinds[name, "in_service"],
            draining=kinds[name, WorkerStatus.DRAINING],
            lost=kinds[name, "lost"],
            callers=kinds[name, "callers"],
            oldest_s=oldest.get(name, 0.0),
        )
        for name, _ in kinds
    }


def why(target: LatencyConfig, last: Outcome | None, past: Past, service: Serving) -> Why:
    """Say why the calls to a target have their verdict; nothing where it is PASS.

    Args:
        target: Its thresholds.
        last: The last call of the schedule; None before the first since the start.
        past: The calls before.
        service: Who serves the agent.
    """
    if last is None:
        return Why(text="Not called since the exporter started." if past.runs else "No call yet.")
    if last.verdict is Verdict.PASS:
        return Why()
    run = RunRecord.of(last)
    head, said = _reason(run)
    if not head:
        head, slow = _slowness(target, last, past)
        head = head or _HEADS.get(run.cause, "")
        said = (*slow, *(each.text for each in run.findings))
    if service.is_short or (run.reason in _OF_WORKERS and service.known):
        said = (*said, str(service))
    return Why(head, " ".join(map(_sentence, filter(None, said))))


def _reason(run: RunRecord) -> tuple[str, tuple[str, ...]]:
    """Return why a call, or a turn of it, has no measurement."""
    reason, detail = why_failed(run)
    if reason is None:
        return "", ()
    blame = "this says nothing about the agent" if reason.is_own_fault else ""
    return str(reason), (detail, blame)


def _slowness(target: LatencyConfig, last: Outcome, past: Past) -> tuple[str, tuple[str, ...]]:
    """Return which component is slow, against the calls before those of this verdict."""
    call = last.result
    if not isinstance(call, CallResult):
        return "", ()
    now = PastRun.of(RunRecord.of(last))
    over_s = (now.took_s or 0.0) - target.target_ms / 1000
    if now.took_s is None or over_s <= 0:
        return "", ()
    if not past.has_changed and past.streak >= _AS_EVER:
        asks = f"is {target.target_ms / 1000:.2f} s the right target?"
        return "", (f"{over_s:.2f} s above target, as in all {past.streak} calls known: {asks}",)
    head, text = _slowest(now, _before(past, now))
    return head, (text,)


def _before(past: Past, now: PastRun) -> list[Components]:
    """Return the components of today's calls before those in a row that are as the last."""
    since = past.since or now.at
    return [
        run.parts for run in past.runs if run.parts is not None and since - _TODAY <= run.at < since
    ]


def _slowest(now: PastRun, before: list[Components]) -> tuple[str, str]:
    """Return the component that grew most, or else the longest, and what is known of it."""
    if now.parts is None:
        return "", ""
    parts = dict(_known(now.parts))
    usual = {name: median(values) for name in parts if (values := _values(before, name))}
    grown = {name: parts[name] - usual[name] for name in usual}
    worst = max(grown, key=grown.__getitem__, default="")
    if worst and grown[worst] >= _NOTABLE_S:
        calls = plural(len(before), "call")
        text = f"{grown[worst]:.2f} s above its median of today ({calls} before)"
        return f"{PART_WORDS[worst]} {parts[worst]:.2f} s", text
    longest = max(parts, key=parts.__getitem__)
    return f"{PART_WORDS[longest]} {parts[longest]:.2f} s", "the longest component"


def _values(before: list[Components], name: str) -> list[float]:
    """Return one component of all calls that know it: a page of 200 agents asks this often."""
    value_of = attrgetter(f"{name}_s")
    return [seconds for seconds in map(value_of, before) if seconds is not None]


def _known(parts: Components) -> Iterator[tuple[str, float]]:
    for name in COMPONENTS:
        seconds = getattr(parts, f"{name}_s")
        if seconds is not None:
            yield name, seconds


def _sentence(text: str) -> str:
    text = text[0].upper() + text[1:]
    return text if text.endswith((".", "?", "!")) else f"{text}."
