"""The demo speaks and recognises; the caller's clip is what its script makes."""

import threading

import numpy as np
import pytest

from exporter.demo.make_clips import CLIP, difference, read_wav
from exporter.demo.recognition import Recognizer
from exporter.demo.speech import Sound, SpeechError, Voice, speak


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    """One recogniser for all tests: loading it takes a second."""
    return Recognizer()


def test_the_clip_is_what_its_script_makes() -> None:
    """The committed WAV file says what CLIP says, in its voice."""
    assert difference(CLIP.file, CLIP.sound()) == ""


@pytest.mark.parametrize(
    ("text", "voice"),
    [
        pytest.param("I have lost my card again.", CLIP.voice, id="other words"),
        pytest.param(CLIP.text, Voice("en+m3", 120), id="other voice"),
    ],
)
def test_another_clip_is_noticed(text: str, voice: Voice) -> None:
    """A changed sentence or voice does not pass the check."""
    other = speak(text, voice).trimmed().resampled(24_000)
    assert difference(CLIP.file, other) != ""


def test_the_clip_is_understood(recognizer: Recognizer) -> None:
    """The recogniser hears every word of the caller's clip."""
    heard = recognizer.transcribe(read_wav(CLIP.file))
    assert heard == "my order has not arrived yet"


def test_another_sentence_is_heard_as_another(recognizer: Recognizer) -> None:
    """The recogniser listens: it does not give one answer to everything."""
    sound = speak("Please connect me to support.", Voice("en-us+f5", 165, 40, 90))
    assert recognizer.transcribe(sound) == "please connect me to support"


def test_silence_has_no_words(recognizer: Recognizer) -> None:
    """Nothing is heard in silence."""
    assert recognizer.transcribe(Sound(np.zeros(16_000, np.int16), 16_000)) == ""


def test_an_unknown_voice_is_named() -> None:
    """A voice that the library does not have is an error with its name."""
    with pytest.raises(SpeechError, match="no voice 'nobody'"):
        speak("Hello.", Voice("nobody"))


def test_threads_do_not_mix_their_words() -> None:
    """Several threads that speak at once each get their own sentence, whole."""
    texts = ["Yes.", "I want to book a table for two.", "Thank you.", "Where is my order?"]
    alone = {text: speak(text).seconds for text in texts}
    together: dict[str, float] = {}

    def say(text: str) -> None:
        together[text] = speak(text).seconds

    threads = [threading.Thread(target=say, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == pytest.approx(alone, abs=0.1)


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
def test_resampling_keeps_time_and_tone(rate: int) -> None:
    """A tone of 440 Hz stays one, as long and as loud, at every rate."""
    time = np.arange(22_050) / 22_050
    tone = Sound((10_000 * np.sin(2 * np.pi * 440 * time)).astype(np.int16), 22_050)
    other = tone.resampled(rate)
    assert other.seconds == pytest.approx(1.0, abs=0.001)
    strongest = int(np.argmax(np.abs(np.fft.rfft(other.samples))))
    assert strongest == pytest.approx(440, abs=1)
    assert int(np.max(other.samples)) == pytest.approx(10_000, rel=0.02)


def test_trimming_and_padding_meet() -> None:
    """Silence that is put around a sound is what trimming takes away."""
    loud = Sound(np.full(100, 1_000, np.int16), 1_000)
    padded = loud.padded(0.5, 0.25)
    assert padded.seconds == pytest.approx(0.85)
    assert np.array_equal(padded.trimmed().samples, loud.samples)
    assert len(Sound(np.zeros(10, np.int16), 1_000).trimmed().samples) == 0
