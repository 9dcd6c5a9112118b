"""What several tests of calls share."""

import wave
from pathlib import Path

import pytest

from tests.fake_call.sounds import utterance


@pytest.fixture(scope="module")
def wav(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the caller says, as a file of the rate that needs no resampling."""
    file = tmp_path_factory.mktemp("clip") / "buzz.wav"
    with wave.open(str(file), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(48_000)
        out.writeframes(utterance().pcm.tobytes())
    return file
