"""Turn two readings of /metrics into one line on what was measured between them."""

import http.client
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from prometheus_client.parser import text_string_to_metric_families

_COMPONENTS = (
    *("transcription", "end_of_turn", "on_user_turn_completed", "llm", "tools", "first_sentence"),
    *("tts", "transport"),
)
_NAMES = {"end_of_turn": "end of turn", "first_sentence": "first sentence"}
_OPTIONAL = ("on_user_turn_completed", "tools", "first_sentence")
_NEGLIGIBLE_S = 0.005
"""An agent reports parts that it does not have as next to nothing."""


@dataclass(frozen=True, slots=True)
class Reading:
    """The counters of one agent at one moment."""

    turns: dict[str, float] = field(default_factory=dict)
    """Number of turns by outcome."""
    failures: dict[str, float] = field(default_factory=dict)
    """Number of failed runs by reason."""
    e2e_count: float = 0.0
    e2e_sum_s: float = 0.0
    components: dict[str, tuple[float, float]] = field(default_factory=dict)
    """Sum in seconds and count, by component."""

    @property
    def measured(self) -> int:
        """Turns in the latency histogram."""
        return int(self.e2e_count)


def read_metrics(url: str, agent_name: str) -> Reading | None:
    """Fetch /metrics and return the agent's counters, or None when nobody answers."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    try:
        connection.request("GET", parts.path)
        response = connection.getresponse()
        if response.status != http.HTTPStatus.OK:
            return None
        return parse(response.read().decode(), agent_name)
    except (OSError, http.client.HTTPException):
        return None
    finally:
        connection.close()


def parse(page: str, agent_name: str) -> Reading:
    """Return the agent's counters on a page in the text format."""
    reading = Reading()
    count = total = 0.0
    for name, labels, value in _samples(page, agent_name):
        match name:
            case "voice_turns_total":
                _add(reading.turns, labels["outcome"], value)
            case "voice_probe_failures_total":
                _add(reading.failures, labels["reason"], value)
            case "voice_e2e_latency_seconds_count":
                count += value
            case "voice_e2e_latency_seconds_sum":
                total += value
            case "voice_component_latency_seconds_sum":
                _merge(reading.components, labels["component"], value, 0.0)
            case "voice_component_latency_seconds_count":
                _merge(reading.components, labels["component"], 0.0, value)
    return Reading(reading.turns, reading.failures, count, total, reading.components)


def describe(before: Reading, after: Reading) -> str:
    """Return one line on what is new, "" when nothing is."""
    said = []
    measured = after.e2e_count - before.e2e_count
    if measured > 0:
        average = (after.e2e_sum_s - before.e2e_sum_s) / measured
        said.append(f"{measured:.0f} turn{'s' if measured > 1 else ''} measured, {average:.2f} s")
        split = [
            f"{_NAMES.get(component, component)} {mean:.2f}"
            for component in _COMPONENTS
            if (mean := _mean(before, after, component)) is not None
            and (mean >= _NEGLIGIBLE_S or component not in _OPTIONAL)
        ]
        if split:
            said[-1] += f" = {' + '.join(split)}"
    for outcome in ("failed", "void"):
        new = after.turns.get(outcome, 0.0) - before.turns.get(outcome, 0.0)
        if new > 0:
            said.append(f"{new:.0f} turn{'s' if new > 1 else ''} {outcome}")
    for reason, number in after.failures.items():
        if number > before.failures.get(reason, 0.0):
            said.append(f"the call failed: {reason}")
    return "; ".join(said)


def _samples(page: str, agent_name: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            # Turns of real callers are the agent's own figures, and no calls of ours.
            is_live = sample.labels.get("source") == "live"
            if sample.labels.get("agent_name") == agent_name and not is_live:
                yield sample.name, sample.labels, sample.value


def _add(counts: dict[str, float], key: str, value: float) -> None:
    counts[key] = counts.get(key, 0.0) + value


def _merge(
    parts: dict[str, tuple[float, float]], component: str, total: float, count: float
) -> None:
    have_total, have_count = parts.get(component, (0.0, 0.0))
    parts[component] = (have_total + total, have_count + count)


def _mean(before: Reading, after: Reading, component: str) -> float | None:
    total, count = after.components.get(component, (0.0, 0.0))
    old_total, old_count = before.components.get(component, (0.0, 0.0))
    return (total - old_total) / (count - old_count) if count > old_count else None
