"""What listeners would say of a reply, as DNSMOS P.835 estimates it.

The model comes with the package speechmos, whose code is not used, because it needs librosa. It is
run as there: on 9.01 s of sound at 16 kHz, with a polynomial upon each of its three figures.
"""

from importlib.resources import files
from typing import Any

import numpy as np
import numpy.typing as npt

from exporter.outcome import Mos
from exporter.rtc.clip import resample
from exporter.rtc.levels import RATE, Pcm, speech_bounds

MODEL_RATE = 16_000
MODEL_SAMPLES = 144_160
"""What the model takes: 9.01 s. A shorter sound is repeated, as by the published script."""

_SEGMENT = MODEL_SAMPLES * RATE // MODEL_RATE
_SCALES = (
    (-0.08397278, 1.22083953, 0.0052439),
    (-0.13166888, 1.60915514, -0.39604546),
    (-0.06766283, 1.11546468, 0.04602535),
)
"""From the figures of the model to the scale of listeners: signal, background, overall."""


def mos(pcm: Pcm) -> Mos | None:
    """Return what listeners would say of a sound at 48 kHz; None where there is no speech in it.

    Of a sound that is longer than the model takes, the mean of its first 9.01 s and its last. Each
    takes half a second of CPU, so not every second has one of its own, as in the published script.
    What is wrong all the time is in both, and what comes on in the course of a reply in the last.

    Raises:
        Exception: Of onnxruntime, whose errors have no other class in common.
    """
    begin, end = speech_bounds(pcm)
    speech = pcm[begin:end]  # the silence in which we waited for more is no part of the reply
    if not len(speech):
        return None
    segments = (speech[:_SEGMENT], speech[-_SEGMENT:]) if len(speech) > _SEGMENT else (speech,)
    # Not kept for the next sound: its work takes some 200 MB, and loading it 0.1 s of CPU.
    model = _load_model()
    found = np.mean([_scores(model, each) for each in segments], axis=0)
    return Mos(*found.tolist())


def _scores(model: Any, pcm: Pcm) -> npt.NDArray[np.float64]:
    sound = resample(pcm, RATE, MODEL_RATE) / 32768
    whole = np.resize(sound, (1, MODEL_SAMPLES)).astype(np.float32)
    raw = model.run(None, {"input_1": whole})[0][0].tolist()
    scaled = [np.polyval(scale, each) for scale, each in zip(_SCALES, raw, strict=True)]
    return np.clip(scaled, 1.0, 5.0)


def _load_model() -> Any:  # onnxruntime ships no types
    import onnxruntime  # noqa: PLC0415 - an extra, which few have

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # other calls are timed beside
    options.log_severity_level = 3  # errors; they are raised as well
    model = files("speechmos") / "dnsmos_models" / "sig_bak_ovr.onnx"
    return onnxruntime.InferenceSession(
        model.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
