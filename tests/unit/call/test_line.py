"""A bad line: what is sent has the noise, the band and the codec that were asked for."""

import asyncio
import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
import pytest
from livekit import rtc
from pydantic import ValidationError

from exporter.outcome import CallResult, Sending
from exporter.probes.calibrate.echo import buzz
from exporter.probes.latency.line import KINDS, LINES, LineConfig
from exporter.probes.latency.scenarios.config import ScenarioConfig
from exporter.probes.latency.scenarios.variants import variant_of
from exporter.rtc.bad_line import MOST, BadLine, weakened_db
from exporter.rtc.bands import MARGIN, STEP, companded
from exporter.rtc.clip import BUILT_IN, Clip, built_in_clip, shipped_clips
from exporter.rtc.levels import RATE, Pcm, speech_bounds
from exporter.rtc.tracks import Microphone
from exporter.rtc.voice import Voice
from exporter.settings.load import load_settings
from tests import virtual_time
from tests.fake_call.calls import World, place, target
from tests.fake_call.script import Script
from tests.speech_level import Wave, active_level_db, clip_at, power_db, snr_db
from tests.virtual_time import Clock

from .test_clip import write

QUIET_S = 1.0
OPUS_DB = {"white": 2.4, "pink": 1.8}
TELEPHONE_DB = 0.9
PACKET = RATE // 50
EVERY_CLIP = {
    **{clip.words: clip for clip in shipped_clips()},
    **{name: built_in_clip(name) for name in BUILT_IN},
}


def stream(set_up: Callable[[Voice], None], pcm: Pcm, seconds: float = 2.0) -> Pcm:
    """Return what goes into the source: silence for a while, then an utterance, then silence."""
    pushed: list[Pcm] = []

    async def story(_: Clock) -> None:
        async def capture(part: Pcm) -> None:
            pushed.append(part)
            await asyncio.sleep(len(part) / RATE)

        voice = Voice(capture)
        set_up(voice)
        voice.begin()
        await asyncio.sleep(QUIET_S)
        voice.play(pcm)
        await asyncio.sleep(seconds - QUIET_S)
        await voice.aclose()

    virtual_time.run(story)
    return np.concatenate(pushed)


def clean(_: Voice) -> None:
    """Leave a voice as it is."""


def line(*clips: Clip, **settings: Any) -> BadLine:
    """Return a line for a call in which these clips are said."""
    config = LineConfig(**settings)
    assert config.sending is not None
    return BadLine(config.sending, config.noise_file, clips)


def ratio_db(mixed: Pcm, speech: Pcm) -> float:
    """Return the level of speech above that of the noise which a mix has and it has not."""
    voice, both = speech.astype(np.float64), mixed.astype(np.float64)
    return active_level_db(voice) - power_db(both - voice)


@pytest.fixture
def noise_file(tmp_path: Path) -> str:
    """A WAV file with a noise that comes and goes."""
    steps = np.repeat([100.0, 2000.0, 50.0, 900.0], RATE // 2)
    wave = np.random.default_rng(2).standard_normal(len(steps)) * steps
    return str(write(tmp_path / "street.wav", wave.astype(np.int16).tobytes()))


@pytest.mark.parametrize("snr_db", [0.0, 20.0])
@pytest.mark.parametrize("noise", [*KINDS, "file"])
def test_speech_is_as_far_above_the_noise_as_asked(
    noise: str, snr_db: float, noise_file: str
) -> None:
    """Each built-in clip, by the level of speech in other code; nothing is cut off at 16 bits.

    Before Opus, which weakens noise that is like no voice: so much louder it is sent.
    """
    off = {}
    for name, clip in EVERY_CLIP.items():
        noisy = line(clip, noise=noise_file if noise == "file" else noise, snr_db=snr_db)
        said = noisy.clip(clip).pcm
        mixed = stream(noisy.take_over, said, seconds=11 if noise == "babble" else 10 + 0.1)
        size = (8 if noise == "babble" else 10) * RATE  # whole rounds of each
        sent_db = ratio_db(mixed[:size], stream(clean, said, seconds=12)[:size])
        off[name] = sent_db + OPUS_DB.get(noise, 0.0) - snr_db
        assert np.abs(mixed.astype(np.int32)).max() <= MOST + 2
    assert max(map(abs, off.values())) < 0.5, off


def test_noise_is_as_loud_before_the_call_speaks_as_in_it() -> None:
    """It does not come with the voice: all utterances of a call are as far above one noise."""
    clips = shipped_clips()
    noisy = line(*clips, noise="white", snr_db=12)
    said = [noisy.clip(clip) for clip in clips]
    levels = [active_level_db(each.pcm.astype(np.float64)) for each in said]
    assert np.ptp(levels) < 0.2
    before = stream(noisy.take_over, said[0].pcm)[: round(QUIET_S * RATE)].astype(np.float64)
    assert levels[0] - power_db(before) == pytest.approx(12 - OPUS_DB["white"], abs=0.5)
    for clip, each in zip(clips, said, strict=True):
        bounds = each.speech_start, each.speech_end, each.words
        assert bounds == (clip.speech_start, clip.speech_end, clip.words)


def test_a_telephone_with_noise_keeps_the_ratio() -> None:
    """It is counted behind the band limits, which take more of noise than of speech."""
    clip = shipped_clips()[0]
    noisy = line(clip, noise="pink", snr_db=10, low_quality_microphone=True)
    said = noisy.clip(clip).pcm
    telephone = line(clip, low_quality_microphone=True)
    mixed, speech = (stream(each.take_over, said, 11)[: 10 * RATE] for each in (noisy, telephone))
    assert ratio_db(mixed, speech) == pytest.approx(10 - TELEPHONE_DB, abs=0.5)


@pytest.mark.parametrize("noise", KINDS)
@pytest.mark.parametrize("kbps", [24.0, 48.0])
def test_noise_arrives_as_it_was_set(noise: str, kbps: float) -> None:
    """Through Opus as the SDK uses it, by the level of speech in other code."""
    clip = built_in_clip("interruption")
    noisy = line(clip, noise=noise, snr_db=10, bitrate=kbps)
    said = noisy.clip(clip).pcm
    heard = through_opus(stream(noisy.take_over, said, seconds=4), kbps).astype(np.float64)
    at, size = clip_at(heard, said.astype(np.float64)), len(said)
    between = np.concatenate([heard[RATE // 4 : at - RATE // 20], heard[at + size :][:RATE]])
    found = snr_db(heard[at : at + size], clip.pcm.astype(np.float64), between)
    assert found == pytest.approx(10, abs=1.0)


@pytest.mark.parametrize(
    ("settings", "louder_db"),
    [
        ({"noise": "white"}, 2.4),
        ({"noise": "pink"}, 1.8),
        ({"noise": "pink", "low_quality_microphone": True}, 0.9),
        ({"noise": "white", "bitrate": 48}, 2.4),
        ({"noise": "white", "bitrate": 96}, 0.0),
        ({"noise": "white", "bitrate": 12}, 0.0),
        ({"noise": "babble"}, 0.0),
    ],
)
def test_noise_is_sent_louder_where_opus_weakens_it(
    settings: dict[str, Any], louder_db: float
) -> None:
    """At bit rates at which Opus codes noise with the means of speech."""
    sending = LineConfig(**settings).sending
    assert sending is not None
    assert weakened_db(sending) == louder_db


def through_opus(pcm: Pcm, kbps: float) -> Pcm:
    """Return what is heard of a sound behind an Opus of speech, in packets of 20 ms."""
    coder = av.CodecContext.create("libopus", "w")
    coder.sample_rate, coder.layout, coder.format = RATE, "mono", "s16"
    coder.bit_rate, coder.time_base = round(kbps * 1000), Fraction(1, RATE)
    coder.options = {"application": "voip", "frame_duration": "20"}
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = RATE, "mono"
    heard: list[Pcm] = []
    for begin in range(0, len(pcm) - PACKET + 1, PACKET):
        packet = pcm[None, begin : begin + PACKET]
        frame = av.AudioFrame.from_ndarray(packet, format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, begin, Fraction(1, RATE)
        for coded in coder.encode(frame):
            decoded = (each.to_ndarray().ravel() for each in decoder.decode(coded))
            heard += [part.astype(np.int16) for part in decoded]
    return np.concatenate(heard)


@pytest.mark.parametrize("noise", KINDS)
def test_noise_has_what_a_recogniser_hears(noise: str) -> None:
    """50 Hz to 8 kHz: less than a thousandth of its power is above, or below."""
    clip = shipped_clips()[0]
    wave = stream(line(clip, noise=noise, snr_db=10).take_over, clip.pcm[:0], seconds=9)
    hz, power = spectrum(wave)
    assert power[(hz < 30) | (hz > 8100)].sum() < 1e-3 * power.sum()
    low, high = (power[(hz > a) & (hz < 2 * a)].sum() for a in (500, 2000))
    octaves = {"white": 6.0, "pink": 0.0}
    if noise in octaves:
        assert 10 * np.log10(high / low) == pytest.approx(octaves[noise], abs=0.3)


def spectrum(pcm: Pcm) -> tuple[Wave, Wave]:
    """Return frequencies and the power at each, through a window that keeps them apart."""
    wave = pcm.astype(np.float64) * np.blackman(len(pcm))
    power: Wave = np.abs(np.fft.rfft(wave)) ** 2
    return np.arange(len(power)) * RATE / len(wave), power


def tone(hz: float) -> Clip:
    """Return a tone of two seconds."""
    wave = np.sin(2 * np.pi * hz * np.arange(2 * RATE) / RATE) * 8000
    return Clip(np.rint(wave).astype(np.int16), 0, 2 * RATE, 0.0)


@pytest.mark.parametrize(
    ("hz", "least_db", "most_db"),
    [
        *((hz, -np.inf, -40.0) for hz in (50, 150, 200, 3600, 4000, 6000, 12_000)),
        *((hz, -6.5, -5.5) for hz in (300, 3400)),
        *((hz, -0.3, 0.3) for hz in (400, 1000, 2000, 3200)),
    ],
)
def test_a_telephone_has_a_band(hz: float, least_db: float, most_db: float) -> None:
    """300 to 3400 Hz, at whose ends half the amplitude is left."""
    clip = tone(hz)
    poor = line(clip, low_quality_microphone=True)
    out = stream(poor.take_over, poor.clip(clip).pcm, 4.0)[2 * RATE : 5 * RATE // 2]
    at, power = spectrum(out)
    _, whole = spectrum(clip.pcm[: len(out)])
    near = np.abs(at - hz) < 20
    gain_db = 10 * np.log10((power[near].sum() + 1e-9) / whole[near].sum())
    assert least_db <= gain_db <= most_db


def mu_law(sample: int) -> int:
    """Return a sample once encoded and decoded, after the tables of ITU-T G.711: own code."""
    magnitude = min(abs(sample) >> 2, 8158) + 33
    segment = magnitude.bit_length() - 6
    step = (magnitude >> (segment + 1)) & 15
    value = (((2 * step + 33) << segment) - 33) << 2
    return value if sample >= 0 else -value


def test_a_telephone_has_samples_of_mu_law() -> None:
    """8000 a second; between them the sound is smooth, and they stay as they are."""
    narrow = np.concatenate([np.arange(-32000, 32000, 97), np.arange(-400, 400)]).astype(np.int16)
    pcm = np.repeat(narrow, STEP)
    inside = slice(MARGIN // STEP, -MARGIN // STEP + 1 or None)
    found = companded(pcm)[::STEP][: len(narrow) - 2 * MARGIN // STEP]
    wanted = np.array([mu_law(int(each)) for each in narrow[inside]])[: len(found)]
    off = np.abs(found.astype(np.int32) - wanted)
    assert off.max() <= 4 * 33 / 32 + 4, wanted[np.argmax(off)]


def test_a_telephone_delays_nothing() -> None:
    """Utterances come out when they went in, to a sample.

    Their ends move by 6 ms at most: the last sound of some is below 300 Hz.
    """
    for name, clip in EVERY_CLIP.items():
        poor = line(clip, low_quality_microphone=True)
        out = stream(poor.take_over, poor.clip(clip).pcm, 6.0).astype(np.float64)
        plain = stream(clean, clip.pcm, 6.0).astype(np.float64)
        assert clip_at(out, clip.pcm.astype(np.float64)) == clip_at(plain, clip.pcm.astype(float))
        ends = [speech_bounds(each.astype(np.int16))[1] / RATE for each in (out, plain)]
        assert ends[0] == pytest.approx(ends[1], abs=0.006), name


def test_a_telephone_has_no_seams() -> None:
    """What is sent in parts is what it would be as a whole."""
    clip = shipped_clips()[0]
    poor = line(clip, low_quality_microphone=True)
    said = poor.clip(clip).pcm
    parts, whole = stream(poor.take_over, said, 4.0), stream(clean, said, 4.0)
    edge = np.zeros(MARGIN, np.int16)
    # The first sample of an utterance is known only when the part before it has gone.
    begin = int(np.flatnonzero(whole)[0]) + 2 * MARGIN
    once = companded(np.concatenate([edge, whole, edge]))
    off = parts[begin : len(whole)].astype(np.int32) - once[begin : len(whole)]
    assert np.abs(off).max() <= 1  # sums of other lengths are rounded otherwise


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"snr_db": 10}, "snr_db: needs noise; expected babble, pink, white or a sound file"),
        ({"noise": "/no/such.wav"}, "cannot be read: No such file or directory; expected babble"),
        ({"noise": __file__}, "no sound that can be read .*; expected babble, pink, white or"),
        ({"noise": "white", "snr_db": 90}, "less than or equal to 60"),
        ({"bitrate": 5}, "greater than or equal to 6"),
    ],
)
def test_an_impossible_line_is_refused(settings: dict[str, Any], words: str) -> None:
    """The error names the key, and what was expected."""
    with pytest.raises(ValidationError) as caught:
        LineConfig(**settings)
    (error,) = caught.value.errors()
    key = error["ctx"].get("key", ()) if "ctx" in error else ()
    assert re.search(words, ": ".join([*map(str, key), error["msg"]]))


def test_a_line_of_the_configuration_is_told_by_its_run() -> None:
    """What was set, with defaults; a file by its name alone."""
    assert LineConfig().sending is None
    assert str(LineConfig(noise="pink").sending) == "pink at 10 dB"
    poor = LineConfig(low_quality_microphone=True, bitrate=16, red=False)
    assert str(poor.sending) == "low-quality microphone, 16 kbit/s, no RED"
    assert LINES["noise"].sending == Sending(noise="babble", snr_db=10.0)
    assert LINES["low_quality_microphone"].sending == Sending(low_quality_microphone=True)


def test_a_call_on_a_bad_line_is_measured_as_any_other(wav: Path) -> None:
    """The end of the utterance is that of the speech, and our noise is not heard as the agent."""
    poor = {"low_quality_microphone": True}
    for settings in (
        {},
        poor,
        {"noise": "white", "snr_db": 40},
        {"noise": "babble", "snr_db": 20, **poor},
    ):
        config = target(line=settings, utterance={"wav": wav})
        placed = place(Script(delay_s=0.7, deaf_to=4000), World(), config)
        call = placed.call
        assert isinstance(call, CallResult)
        assert call.sending == LineConfig(**settings).sending
        assert len(call.turns) == 2
        for turn in call.turns:
            assert turn.e2e_s == pytest.approx(0.7, abs=0.02), (settings, turn)


def test_what_is_said_into_the_agents_speech_is_on_the_line_too(wav: Path) -> None:
    """A cough is as far above the noise as the utterances are."""
    voice = LINES["noise"].sending
    assert voice is not None
    settings = ScenarioConfig(name="cough", line=LINES["noise"])
    said: list[Clip] = []
    with patch.object(BadLine, "clip", autospec=True, side_effect=_noted(said)):
        config = variant_of(target(utterance={"wav": wav}), settings)
        call = place(Script(delay_s=0.7, deaf_to=4000), World(), config).call
    assert call.sending == voice
    ratios = [active_level_db(each.pcm.astype(np.float64)) for each in said]
    assert len(ratios) == 2
    assert ratios[0] == pytest.approx(ratios[1], abs=0.5)


def _noted(said: list[Clip]) -> Callable[[BadLine, Clip], Clip]:
    """Return what notes each clip as the line has it."""
    on_the_line = BadLine.clip

    def clip(bad: BadLine, clean: Clip) -> Clip:
        said.append(on_the_line(bad, clean))
        return said[-1]

    return clip


class Published:
    """A participant that keeps how a track was published."""

    def __init__(self) -> None:
        self.options: list[rtc.TrackPublishOptions] = []

    async def publish_track(self, _: rtc.Track, options: rtc.TrackPublishOptions) -> None:
        """Keep the options."""
        self.options.append(options)


@pytest.mark.parametrize(
    ("settings", "bitrate", "red"), [({}, 0, True), ({"bitrate": 16, "red": False}, 16_000, False)]
)
def test_the_encoding_is_that_of_the_line(
    settings: dict[str, Any], bitrate: int, *, red: bool
) -> None:
    """Bit rate and RED are the SDK's own unless the line says otherwise."""

    async def publish() -> rtc.TrackPublishOptions:
        microphone, participant = Microphone(), Published()
        microphone.sending = LineConfig(**settings).sending or Sending()
        await microphone.publish(participant)  # type: ignore[arg-type] # has what is needed of one
        await microphone.aclose()
        return participant.options[0]

    options = asyncio.run(publish())
    assert options.audio_encoding.max_bitrate == bitrate
    assert options.HasField("red") == (not red)
    assert not options.red
    assert not options.dtx


def test_words_for_noise_are_no_paths(tmp_path: Path) -> None:
    """A file is looked for beside the YAML file; babble, pink and white are no files."""
    write(tmp_path / "street.wav", bytes(9600) + buzz(0.5).tobytes())
    file = tmp_path / "a.yaml"
    for noise, wanted in (("babble", None), ("street.wav", tmp_path / "street.wav")):
        file.write_text(f"targets: [{{agent_name: a, line: {{noise: {noise}}}}}]")
        settings = load_settings(file, {}, {})
        assert settings.targets[0].line.noise_file == wanted
