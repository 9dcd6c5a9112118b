"""The target that follows from a target and one of its scenarios."""

from typing import Any

from pydantic import ValidationError

from exporter.errors import ConfigError
from exporter.probes.latency.deadline import needed_s, shortest_deadline_s
from exporter.probes.latency.key import TargetKey
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.spec import LatencyConfig

_OWN = ("trials", "fail_ms", "max_wer", "utterance", "line")
"""Keys that take the place of the target's where they are set."""


class Variant(LatencyConfig):
    """A target in one of its scenarios."""

    played: ScenarioConfig
    payer: TargetKey
    """The target under which it stands, whose budget it shares."""

    @property
    def does(self) -> ScenarioConfig | None:
        """The scenario."""
        return self.played

    @property
    def account(self) -> TargetKey:
        """The key of the target whose budget pays for it."""
        return self.payer


def variant_of(target: LatencyConfig, scenario: ScenarioConfig) -> Variant:
    """Return a target in a scenario: all that the scenario does not set is inherited.

    Raises:
        ValidationError: Together they make no target; the keys are those of the target.
    """
    values = {name: getattr(target, name) for name in target.model_fields_set}
    values.pop("scenarios", None)
    own = {name: getattr(scenario, name) for name in _OWN}
    values |= {name: value for name, value in own.items() if value is not None}
    values |= {
        "scenario": scenario.name,
        "interval": target.interval * scenario.every,
        "slo": scenario.slo,
        "page_on": scenario.page_on,
        "played": scenario,
        "payer": target.key,
    }
    if scenario.target_ms is not None and not scenario.answers:
        values["target_ms"] = scenario.target_ms
    if scenario.utterance is not None:
        values["utterances"] = ()
    if scenario.kind != "turns":  # it has a course of its own
        values |= {"script": (), "stop_at": "none"}
    if scenario.kind == "reconnect":  # one turn before the break, and one after it
        values["trials"] = max(2, scenario.trials or target.trials)
    if scenario.needs_control:
        values["warmup"] = True
    if "deadline" not in values:
        values["deadline"] = shortest_deadline_s(needed_s({**_defaults(), **values}))
    return Variant(**values)


def _defaults() -> dict[str, Any]:
    """Return the defaults of a target that its waits follow from."""
    return {
        name: field.default
        for name, field in LatencyConfig.model_fields.items()
        if not field.is_required() and field.default_factory is None
    }


def variants_of(target: LatencyConfig) -> tuple[Variant, ...]:
    """Return a target in each of its scenarios.

    Raises:
        FaultyScenarioError: One of them makes no target.
    """
    found: list[Variant] = []
    for place, scenario in enumerate(target.scenarios):
        try:
            found.append(variant_of(target, scenario))
        except ValidationError as error:
            raise FaultyScenarioError(place, error) from None
    return tuple(found)


class FaultyScenarioError(ConfigError):
    """A scenario and its target make no target.

    Attributes:
        place: Of the scenario among those of the target.
        key: Of the scenario where it has it, else ().
    """

    def __init__(self, place: int, error: ValidationError) -> None:
        first = error.errors(include_url=False)[0]
        context = first.get("ctx", {})
        path = (*first["loc"], *context.get("key", ()))
        text = str(context.get("text", first["msg"]))
        known = path[:1] and path[0] in ScenarioConfig.model_fields
        self.place = place
        self.key = path[:1] if known else ()
        where = ".".join(str(part) for part in path)
        super().__init__(text if known else f"makes no target: {where}: {text}")
