"""The demo speaks and recognises; the caller's clips are what their script makes."""

import threading

import numpy as np
import pytest

from bench.clips.make import CLIPS, SOUNDS, Clip, Made, difference, read_wav
from exporter.demo.llm_replies import answer
from exporter.demo.recognition import Recognizer
from exporter.demo.speech import Sound, SpeechError, Voice, speak
from exporter.probes.latency.understood import score
from exporter.rtc.clip import QUESTION_PAUSES, built_in_clip, load_clip
from exporter.rtc.levels import RATE, WINDOW, window_levels

CLIP = CLIPS[0]
EVERY_CLIP = pytest.mark.parametrize("clip", CLIPS, ids=lambda clip: clip.name)


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    """One recogniser for all tests: loading it takes a second."""
    return Recognizer()


@EVERY_CLIP
def test_a_clip_is_what_its_script_makes(clip: Clip) -> None:
    """The committed WAV file says what CLIPS say, in that voice."""
    assert difference(clip.file, clip.sound()) == ""


@pytest.mark.parametrize("sound", SOUNDS, ids=lambda sound: sound.name)
def test_a_sound_is_what_its_script_makes(sound: Clip | Made) -> None:
    """The sounds of scenarios as well; a cough and a babble are no recordings either."""
    loop = isinstance(sound, Made) and sound.loop
    assert difference(sound.file, sound.sound(), loop=loop) == ""


@EVERY_CLIP
def test_the_end_of_a_clip_is_sharp(clip: Clip) -> None:
    """10 ms after the end that is found nothing is within 12 dB of the last 30 ms of speech.

    What the synthesizer made goes on for less than 60 ms, as the breath of a last consonant.
    """
    spoken, found = read_wav(clip.file), load_clip(clip.file)
    levels, end = window_levels(found.pcm), found.speech_end // WINDOW
    assert levels[end + 2 :].max() < levels[end - 6 : end].mean() - 12
    loud = np.flatnonzero(np.abs(spoken.samples.astype(np.int32)) > 100)
    assert found.speech_end / RATE == pytest.approx(int(loud[-1]) / spoken.rate, abs=0.06)
    assert found.longest_pause_s < 0.15


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


@EVERY_CLIP
def test_a_clip_is_understood_and_answered(recognizer: Recognizer, clip: Clip) -> None:
    """The recogniser hears every word of it, and the demo's answer is to those words."""
    heard = recognizer.transcribe(read_wav(clip.file))
    assert score(clip.text, [heard]).wer == 0
    assert answer(heard) not in (answer(""), answer("hello"))


@pytest.mark.parametrize("name", ["interruption", *QUESTION_PAUSES])
def test_what_is_said_in_scenarios_is_understood(recognizer: Recognizer, name: str) -> None:
    """Its words are known, whatever the pause."""
    clip = built_in_clip(name)
    assert score(clip.words, [recognizer.transcribe(Sound(clip.pcm, RATE))]).wer == 0


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
