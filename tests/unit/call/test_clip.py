"""The utterance: any sound file becomes the same samples, and its speech is found."""

import struct
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile

from exporter.errors import ConfigError
from exporter.probes.calibrate.echo import buzz
from exporter.rtc.clip import (
    BUILT_IN,
    QUESTION_PAUSES,
    built_in_clip,
    clip_length_s,
    load_clip,
    shipped_clips,
)
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
    assert_heard(write(tmp_path / "a.wav", raw, rate=rate, width=width, channels=channels))


def assert_heard(path: Path, within_s: float = 0.002) -> None:
    """Assert that the file is an utterance whose speech is where it was written."""
    clip = load_clip(path)
    assert clip.speech_start / RATE == pytest.approx(LEAD_S, abs=within_s)
    assert clip.speech_end / RATE == pytest.approx(LEAD_S + SPEECH_S, abs=within_s)
    assert len(clip.pcm) / RATE == pytest.approx(LEAD_S + SPEECH_S + TAIL_S, abs=0.005)


def riff(samples: bytes, promised: int, whole: int) -> bytes:
    """Return a WAV file whose header promises so many bytes of samples, and in the whole file."""
    form = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    chunks = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"data"
    return b"RIFF" + struct.pack("<I", whole) + chunks + struct.pack("<I", promised) + samples


@pytest.mark.parametrize(
    ("promised", "whole"),
    [
        pytest.param(0, 0, id="0, as the whole"),
        pytest.param(0, 36, id="0, in a header that was never written again"),
        pytest.param(0x7FFFFFFF, 0x7FFFFFFF, id="0x7FFFFFFF"),
        pytest.param(0x7FFFF000, 0x7FFFF024, id="0x7FFFF000"),
        pytest.param(0xFFFFFFFF, 0xFFFFFFFF, id="0xFFFFFFFF"),
    ],
)
def test_a_wav_of_unknown_length_is_as_long_as_its_file(
    tmp_path: Path, promised: int, whole: int
) -> None:
    """Speech services write the header before they know how much follows."""
    path = tmp_path / "streamed.wav"
    path.write_bytes(riff(encoded(2, 1, RATE), promised, whole))
    assert_heard(path)


@pytest.mark.parametrize(
    ("form", "subtype"),
    [
        *(("WAV", each) for each in ("FLOAT", "DOUBLE", "ULAW", "ALAW")),
        *(("WAVEX", "PCM_24"), ("WAVEX", "FLOAT"), ("RF64", "PCM_16"), ("RF64", "PCM_24")),
        *(("FLAC", "PCM_16"), ("FLAC", "PCM_24"), ("OGG", "OPUS"), ("OGG", "VORBIS")),
    ],
)
def test_any_kind_of_sound_is_an_utterance(tmp_path: Path, form: str, subtype: str) -> None:
    """Whatever a recorder or a speech service writes; a codec moves an end by some milliseconds."""
    path = tmp_path / "a.sound"
    soundfile.write(path, speech() / 32768, RATE, format=form, subtype=subtype)
    assert_heard(path, within_s=0.01)


def test_a_sound_louder_than_full_scale_is_cut_at_it(tmp_path: Path) -> None:
    """Samples of 32-bit float may be anything, also no number: none of them wraps around."""
    wave_in = np.sign(speech() / 32768) * 3.0
    wave_in[0] = np.nan
    soundfile.write(tmp_path / "a.wav", wave_in, RATE, subtype="FLOAT")
    pcm = load_clip(tmp_path / "a.wav").pcm
    assert pcm[0] == 0
    assert pcm.max() == 32767
    assert pcm.min() == -32768
    assert np.array_equal(np.sign(pcm[1:]), np.sign(wave_in[1:]))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"no sound at all", "no sound that can be read .* ffmpeg", id="text"),
        pytest.param(riff(b"", 0, 36), r"0\.0 s long; expected 0\.1 to 60 s", id="no samples"),
        pytest.param(b"", "no sound that can be read .* ffmpeg", id="empty"),
        pytest.param(None, "cannot be read", id="missing"),
    ],
)
def test_a_file_without_sound_is_refused(tmp_path: Path, content: bytes | None, words: str) -> None:
    """The error is one line that names the file and says what to do."""
    path = tmp_path / "a.wav"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=words) as caught:
        load_clip(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("form", ["WAV", "RF64", "FLAC", "OGG", "MP3"])
def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, form: str) -> None:
    """Half an utterance would be measured as a whole one."""
    path = tmp_path / "a.sound"
    soundfile.write(path, speech() / 32768, RATE, format=form)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ConfigError, match=r"ends before|no sound that can be read|0\.0 s long"):
        load_clip(path)


def test_a_file_of_any_size_is_not_read_to_its_end() -> None:
    """A device without an end costs no more memory than a long recording."""
    with pytest.raises(ConfigError, match="larger than 256 MB"):
        load_clip(Path("/dev/zero"))


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


def test_shipped_clips_have_words_and_no_pause_that_ends_a_turn() -> None:
    """A pause of 150 ms inside would end the turn for a plain energy endpointer."""
    clips = shipped_clips()
    assert len({clip.words for clip in clips}) == 3
    for clip in clips:
        assert 0.5 < (clip.speech_end - clip.speech_start) / RATE < 5.0
        assert clip.longest_pause_s < 0.15
    assert clip_length_s(None) == max(len(clip.pcm) for clip in clips) / RATE


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


def silences(samples: "np.ndarray[tuple[int], np.dtype[np.int16]]") -> list[tuple[int, int]]:
    """Return begin and end of each run of digital silence of 0.1 s or more, sample by sample."""
    found, begin = [], 0
    for at, sample in enumerate([*samples.tolist(), 1]):
        if sample != 0:
            if at - begin >= RATE // 10:
                found.append((begin, at))
            begin = at + 1
    return found


@pytest.mark.parametrize(("name", "seconds"), QUESTION_PAUSES.items())
def test_a_question_has_one_pause_of_exactly_its_length(name: str, seconds: float) -> None:
    """Digital silence, and nothing more that a listener would take for silence: 10 ms at most."""
    clip = built_in_clip(name)
    ((begin, end),) = silences(clip.pcm[clip.speech_start : clip.speech_end])
    begin, end = begin + clip.speech_start, end + clip.speech_start
    assert (end - begin) / RATE == pytest.approx(seconds, abs=0.001)
    loud = np.flatnonzero(np.abs(clip.pcm.astype(np.int32)) > np.abs(clip.pcm).max() * 0.02)
    before, after = loud[loud < begin][-1], loud[loud >= end][0]
    assert (after - before) / RATE == pytest.approx(seconds, abs=0.01)


def test_built_in_sounds_are_as_long_as_they_are_told_to_be() -> None:
    """A backchannel and a cough are 0.2 to 0.6 s of sound, an interruption is about a second."""
    clips = {name: built_in_clip(name) for name in BUILT_IN}
    heard = {name: (each.speech_end - each.speech_start) / RATE for name, each in clips.items()}
    assert 0.2 <= heard["backchannel"] <= 0.6
    assert 0.2 <= heard["cough"] <= 0.6
    assert 0.7 <= heard["interruption"] <= 1.2
    for name, clip in clips.items():
        assert clip.words == BUILT_IN[name]
        assert (clip.longest_pause_s > 0.25) == (name in QUESTION_PAUSES)
