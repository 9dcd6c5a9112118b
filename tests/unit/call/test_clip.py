"""The utterance: any WAV becomes the same samples, and its speech is found to the sample."""

import wave
from pathlib import Path

import numpy as np
import pytest

from exporter.errors import ConfigError
from exporter.probes.calibrate.echo import buzz
from exporter.rtc.clip import load_clip
from exporter.rtc.levels import (
    RATE,
    amplitude,
    longest_pause_s,
    speech_bounds,
    window_levels,
)

LEAD_S, SPEECH_S, TAIL_S = 0.2, 0.5, 0.3


def speech() -> "np.ndarray[tuple[int], np.dtype[np.int16]]":
    """Return a sound between two silences, at 48 kHz."""
    silence = np.zeros(round(LEAD_S * RATE), np.int16), np.zeros(round(TAIL_S * RATE), np.int16)
    return np.concatenate([silence[0], buzz(SPEECH_S), silence[1]])


def write(path: Path, raw: bytes, *, rate: int = RATE, width: int = 2, channels: int = 1) -> Path:
    """Write a WAV file of these bytes."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(raw)
    return path


def encoded(width: int, channels: int, rate: int) -> bytes:
    """Return the speech in that form."""
    pcm = speech()[:: RATE // rate].astype(np.int32)
    both = np.repeat(pcm, channels)
    if width == 1:
        return ((both >> 8) + 128).astype(np.uint8).tobytes()
    if width == 2:
        return both.astype("<i2").tobytes()
    wide = (both << 16).astype("<i4")
    return wide.view(np.uint8).reshape(-1, 4)[:, 4 - width :].tobytes()


@pytest.mark.parametrize("rate", [8_000, 16_000, 24_000, 48_000])
@pytest.mark.parametrize("width", [1, 2, 3, 4])
@pytest.mark.parametrize("channels", [1, 2])
def test_any_pcm_wav_is_an_utterance(tmp_path: Path, rate: int, width: int, channels: int) -> None:
    """Whatever its rate, width and channels, its speech begins and ends where it did."""
    raw = encoded(width, channels, rate)
    clip = load_clip(write(tmp_path / "a.wav", raw, rate=rate, width=width, channels=channels))
    assert clip.speech_start / RATE == pytest.approx(LEAD_S, abs=0.002)
    assert clip.speech_end / RATE == pytest.approx(LEAD_S + SPEECH_S, abs=0.002)
    assert len(clip.pcm) / RATE == pytest.approx(LEAD_S + SPEECH_S + TAIL_S, abs=0.005)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"ID3 not a wave file at all", "not a PCM WAV file", id="another format"),
        pytest.param(b"", "not a PCM WAV file", id="empty"),
        pytest.param(None, "not a PCM WAV file", id="missing"),
    ],
)
def test_a_file_that_is_no_wav_is_refused(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    """The error names the file and says what was expected."""
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load_clip(path)
    assert str(path) in str(caught.value)


def test_a_wav_that_was_cut_off_is_refused(tmp_path: Path) -> None:
    """Half an utterance would be measured as a whole one."""
    path = write(tmp_path / "a.wav", encoded(2, 1, RATE))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigError, match="given in its header"):
        load_clip(path)


@pytest.mark.parametrize("level_db", [-40.0, -35.0])
def test_noise_does_not_hide_where_speech_ends(level_db: float) -> None:
    """On a recording with noise the bounds are those of the voice."""
    noise = np.random.default_rng(1).standard_normal(len(speech())) * amplitude(level_db)
    mixed = (speech() + noise).clip(-32768, 32767).astype(np.int16)
    start, end = speech_bounds(mixed)
    assert start / RATE == pytest.approx(LEAD_S, abs=0.005)
    assert end / RATE == pytest.approx(LEAD_S + SPEECH_S, abs=0.005)


def test_a_click_after_the_speech_is_not_its_end() -> None:
    """The sound of hanging up is no word."""
    pcm = speech()
    pcm[-2400:-2160] = buzz(0.005, -30)
    assert speech_bounds(pcm)[1] / RATE == pytest.approx(LEAD_S + SPEECH_S, abs=0.002)


def test_silence_is_no_utterance(tmp_path: Path) -> None:
    """An agent would wait for ever for the end of speech that never was."""
    with pytest.raises(ConfigError, match="silent"):
        load_clip(write(tmp_path / "a.wav", bytes(2 * RATE)))


def test_an_hour_is_no_utterance(tmp_path: Path) -> None:
    """Sixty seconds are the most."""
    with pytest.raises(ConfigError, match="61"):
        load_clip(write(tmp_path / "a.wav", bytes(2 * 8000 * 61), rate=8000))


def test_the_shipped_clip_has_speech_without_a_pause_that_ends_a_turn() -> None:
    """A pause of 150 ms inside would end the turn for a plain energy endpointer."""
    clip = load_clip(None)
    assert 0.5 < (clip.speech_end - clip.speech_start) / RATE < 5.0
    assert clip.longest_pause_s < 0.15


def test_levels_are_in_dbfs() -> None:
    """A full-scale square wave is 0 dBFS, digital silence has the lowest level."""
    square = np.array([32767, -32768] * 240, np.int16)
    assert window_levels(square) == pytest.approx([0.0, 0.0], abs=0.01)
    assert window_levels(np.zeros(480, np.int16)).max() == -120.0


def test_a_pause_inside_speech_is_found() -> None:
    """The longest silence between two sounds, to a window."""
    pause = np.zeros(round(0.2 * RATE), np.int16)
    assert longest_pause_s(np.concatenate([speech(), speech()])) == pytest.approx(0.5, abs=0.01)
    sound = buzz(0.1)
    assert longest_pause_s(np.concatenate([sound, pause, sound])) == pytest.approx(0.2, abs=0.01)


def test_silence_has_no_bounds() -> None:
    """Nothing loud, nothing found."""
    assert speech_bounds(np.zeros(RATE, np.int16)) == (0, 0)
