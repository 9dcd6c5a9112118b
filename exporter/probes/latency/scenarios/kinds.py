"""Which kind of scenario does what, and what it says."""

from collections.abc import Callable

from exporter.probes.latency.scenarios.backchannel import ShortSound
from exporter.probes.latency.scenarios.barge_in import BargeIn
from exporter.probes.latency.scenarios.config import Kind, ScenarioConfig
from exporter.probes.latency.scenarios.pause import Pausing
from exporter.probes.latency.scenarios.reconnect import Reconnecting
from exporter.probes.latency.scenarios.scene import Scene, Stage

_SCENES: dict[Kind, Callable[[Stage], Scene]] = {
    "turns": lambda _: Scene(),
    "barge_in": BargeIn,
    "backchannel": ShortSound,
    "cough": ShortSound,
    "pause": Pausing,
    "reconnect": Reconnecting,
}
_CLIPS: dict[Kind, str] = {
    "barge_in": "interruption",
    "backchannel": "backchannel",
    "cough": "cough",
}
"""Built-in clips that are said into the agent's speech."""


def scene_of(stage: Stage) -> Scene:
    """Return what a scenario does in a call."""
    return _SCENES[stage.scenario.kind](stage)


def sound_of(scenario: ScenarioConfig) -> str:
    """Return the built-in clip that is said into the agent's speech; "" where none is."""
    return _CLIPS.get(scenario.kind, "")


def utterance_of(scenario: ScenarioConfig) -> str:
    """Return the built-in clip that takes the place of the caller's utterances; "" for none."""
    return f"pause_{scenario.pause:g}" if scenario.kind == "pause" else ""
