"""Both voices as they were loud, and what was taken for speech in them."""

from collections.abc import Iterable, Sequence
from itertools import groupby

from exporter.evidence.kept import Envelope, KeptCall
from exporter.outcome.timeline import AgentSounded, CallerSpoke
from exporter.web.picture.svg import Axis, Lane, box, element, number

_HEIGHT = 52.0
_LEAST_PX = 0.8
"""Of half a column; what is quieter is drawn as silence."""


def voices(call: KeptCall, axis: Axis) -> tuple[Lane, Lane]:
    """Return the lane of the caller and that of the agent."""
    said = ((each.at, each.until) for each in call.events if isinstance(each, CallerSpoke))
    heard = ((each.at, each.until) for each in call.events if isinstance(each, AgentSounded))
    envelope = call.envelope
    return (
        _voice("caller", envelope.caller, said, envelope, axis),
        _voice("agent, as heard", envelope.agent, heard, envelope, axis),
    )


def _voice(
    label: str,
    peaks: Sequence[float],
    speech: Iterable[tuple[float, float]],
    envelope: Envelope,
    axis: Axis,
) -> Lane:
    side = label.partition(",")[0]
    boxes = [
        box(axis.x(at), 0, (until - at) * axis.px_per_s, _HEIGHT, f"speech {side}",
            tip=f"{side} from {at:.2f} s to {until:.2f} s")
        for at, until in speech
    ]  # fmt: skip
    middle = element("path", d=f"M{axis.x(0)} {_HEIGHT / 2}H{number(axis.x(axis.length_s))}",
                     class_="rule")  # fmt: skip
    wave = element("path", d=_columns(peaks, envelope.step_s, axis), class_=f"wave {side}")
    return Lane(label, _HEIGHT, (*boxes, middle, wave))


def _columns(peaks: Sequence[float], step_s: float, axis: Axis) -> str:
    """Return the loudest of each pixel as a column, and nothing where there is silence."""
    pixels = groupby(enumerate(peaks), lambda each: int(axis.x(each[0] * step_s)))
    parts = []
    for pixel, values in pixels:
        half = _HEIGHT / 2 * _shown(max(value for _, value in values))
        if half >= _LEAST_PX:
            parts.append(f"M{pixel}.5 {_HEIGHT / 2 - half:.1f}v{2 * half:.1f}")
    return "".join(parts) or "M0 0"


def _shown(peak: float) -> float:
    """Return the height of an amplitude, both 0 to 1; speech at -30 dB must still be seen."""
    return float(min(max(peak, 0.0), 1.0) ** 0.5)
