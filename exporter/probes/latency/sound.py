"""How the replies of a call sounded: the figures of the call, its thresholds, and its metrics."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from statistics import fmean
from typing import Annotated, Self

from pydantic import AfterValidator, Field

from exporter.config.values import Section, invalid
from exporter.outcome import (
    CallResult,
    Cause,
    Finding,
    Media,
    MediaDirection,
    Mos,
    TurnOutcome,
    Verdict,
)
from exporter.series import Reading, family

SCORE_S = 4.0
"""How long the scoring of one reply may take, which is two runs of the model at most."""
MOST_SCORED = 10
"""Replies of a call that are scored, so that neither their audio nor the time has no bound."""
_PACKAGES = ("onnxruntime", "speechmos")


def _check_packages(wanted: bool) -> bool:
    """Refuse what the installed packages cannot do."""
    missing = [name for name in _PACKAGES if wanted and find_spec(name) is None]
    if missing:
        expected = "expected pip install 'livekit-voice-exporter[quality]'"
        raise invalid(f"needs what is not installed: {', '.join(missing)}; {expected}")
    return wanted


class SoundConfig(Section):
    """What is said of how a call sounds: thresholds, and an estimate of its quality.

    No threshold is set by default, and one that is passed is SLOW. All but the last two are of the
    measured replies of a call: their mean, of gaps the longest.
    """

    mos: Annotated[bool, AfterValidator(_check_packages)] = Field(
        False,
        description="Estimate by DNSMOS what listeners would say of each measured reply, the first "
        f"{MOST_SCORED} of a call. In no verdict. It needs the extra `quality`, and up to 1.1 s of "
        "CPU for each reply, once the call is over.",
    )
    min_level_dbfs: float | None = Field(
        None, ge=-100, le=0, description="Lowest active level of the replies, in dBFS."
    )
    max_clipped_ratio: float | None = Field(
        None, ge=0, le=1, description="Largest share of clipped samples in the replies, 0 to 1."
    )
    min_bandwidth_hz: float | None = Field(
        None, ge=0, le=20_000, description="Lowest bandwidth of the replies, in Hz."
    )
    max_gap_ms: float | None = Field(
        None, gt=0, description="Longest silence inside a reply, while the agent goes on."
    )
    max_loss_ratio: float | None = Field(
        None, ge=0, le=1, description="Largest share of lost RTP packets, of either direction."
    )
    max_concealed_ratio: float | None = Field(
        None, ge=0, le=1, description="Largest share of received audio that was concealed."
    )

    def scoring_s(self, turns: int) -> float:
        """Return how long scoring may take after a call of so many measured turns."""
        return SCORE_S * min(turns, MOST_SCORED) if self.mos else 0.0


@dataclass(frozen=True, slots=True)
class CallSound:
    """The measured replies of one call together."""

    level_dbfs: float
    """Mean."""
    clipped_ratio: float
    """Mean."""
    bandwidth_hz: float
    """Mean."""
    longest_gap_s: float
    """The longest of all."""
    mos: Mos | None
    """Mean of those that were scored; None where none was."""

    @classmethod
    def of(cls, call: CallResult) -> Self | None:
        """Return that of a call; None where no reply was measured."""
        measured = (turn for turn in call.turns if turn.outcome is TurnOutcome.REPLIED)
        replies = [turn.reply for turn in measured if turn.reply and not turn.warmup]
        if not replies:
            return None
        return cls(
            fmean(each.level_dbfs for each in replies),
            fmean(each.clipped_ratio for each in replies),
            fmean(each.bandwidth_hz for each in replies),
            max(each.longest_gap_s for each in replies),
            _mean_mos([each.mos for each in replies if each.mos is not None]),
        )


def _mean_mos(found: list[Mos]) -> Mos | None:
    if not found:
        return None
    return Mos(
        fmean(each.signal for each in found),
        fmean(each.background for each in found),
        fmean(each.overall for each in found),
    )


def judge_sound(limits: SoundConfig, call: CallResult) -> Iterator[Finding]:
    """Yield a SLOW finding for each threshold that a call has passed."""
    found = CallSound.of(call)
    loss = max(_losses(call.media), default=None)
    concealed = call.media.down.concealed_ratio if call.media else None
    gap_s = limits.max_gap_ms / 1000 if limits.max_gap_ms is not None else None
    if found is not None:
        clipped = found.clipped_ratio
        what = "clipped (distorted) share of the agent's speech"
        yield from _above(what, clipped, limits.max_clipped_ratio, _percent, Cause.SOUND)
        yield from _above(
            "a gap in a reply of", found.longest_gap_s, gap_s, "{:.2f} s".format, Cause.GAP
        )
        yield from _below("level", found.level_dbfs, limits.min_level_dbfs, "{:.1f} dBFS".format)
        yield from _below(
            "bandwidth", found.bandwidth_hz, limits.min_bandwidth_hz, "{:.0f} Hz".format
        )
    yield from _above("packet loss", loss, limits.max_loss_ratio, _percent, Cause.LOSS)
    yield from _above(
        "concealed audio", concealed, limits.max_concealed_ratio, _percent, Cause.LOSS
    )


def _losses(media: Media | None) -> list[float]:
    ways = (media.up, media.down) if media else ()
    return [each.loss_ratio for each in ways if each.loss_ratio is not None]


def _above(
    what: str,
    value: float | None,
    limit: float | None,
    text: Callable[[float], str],
    cause: Cause,
) -> Iterator[Finding]:
    if value is not None and limit is not None and value > limit:
        yield Finding(Verdict.SLOW, f"{what} {text(value)} is above {text(limit)}", cause)


def _below(
    what: str, value: float, limit: float | None, text: Callable[[float], str]
) -> Iterator[Finding]:
    if limit is not None and value < limit:
        yield Finding(Verdict.SLOW, f"{what} {text(value)} is below {text(limit)}", Cause.SOUND)


def _percent(ratio: float) -> str:
    return f"{ratio * 100:.2f} %"


_family = partial(family, "calls")
_LABELS = "agent_name call_type scenario vantage"
_DIRECTIONS = ("up", "down", "agent_up", "agent_down")
"""The fields of `Media`."""

GAP = _family(
    "voice_reply_gap_seconds",
    "histogram",
    _LABELS,
    "Longest silence inside each reply, while the agent goes on. Measured turns only.",
    buckets=(0.1, 0.2, 0.3, 0.5, 0.75, 1, 1.5, 2, 3, 4, 5, 7.5, 10, 15, 20, 30),
)
LEVEL = _family(
    "voice_reply_level_dbfs",
    "gauge",
    _LABELS,
    "Active level of the replies of the last call with a measured turn, in dBFS: 0 is full scale.",
    keeps=True,
)
CLIPPED = _family(
    "voice_reply_clipped_ratio",
    "gauge",
    _LABELS,
    "Share of the samples of speech that were clipped at full scale before they were encoded, in "
    "the replies of the last call with a measured turn, 0 to 1; an estimate.",
    keeps=True,
)
BANDWIDTH = _family(
    "voice_reply_bandwidth_hertz",
    "gauge",
    _LABELS,
    "Highest frequency with energy in the replies of the last call with a measured turn.",
    keeps=True,
)
MOS = _family(
    "voice_reply_mos",
    "gauge",
    f"{_LABELS} model",
    "What listeners would say of the replies of the last call, as DNSMOS P.835 estimates it, 1 to "
    "5; the mean. Absent unless `sound.mos` of the target is set, or where none was scored.",
    model=("dnsmos_signal", "dnsmos_background", "dnsmos_overall"),
)
SPEECH = _family(
    "voice_speech_seconds_total",
    "counter",
    f"{_LABELS} speaker",
    "Seconds of speech in calls, by speaker: caller, agent (its greeting included).",
    speaker=("caller", "agent"),
)
OVERLAP = _family(
    "voice_overlap_seconds_total",
    "counter",
    _LABELS,
    "Seconds in which caller and agent spoke at once, as the caller heard it.",
)
PACKETS = _family(
    "voice_call_packets_total",
    "counter",
    f"{_LABELS} direction",
    "RTP packets of calls: sent by the caller (up), expected by the caller (down); sent and "
    "expected by the agent (agent_up, agent_down), as it reports.",
    direction=_DIRECTIONS,
)
PACKETS_LOST = _family(
    "voice_call_packets_lost_total",
    "counter",
    f"{_LABELS} direction",
    "RTP packets of calls that were lost: up as reported by the SFU; down as counted by the "
    "caller, including the loss between agent and SFU; agent_up and agent_down the same of the "
    "agent, as it reports.",
    direction=_DIRECTIONS,
)
CONCEALED = _family(
    "voice_call_concealed_ratio",
    "gauge",
    f"{_LABELS} direction",
    "Share of the received audio that was concealed because no packet came in time, in the last "
    "call, 0 to 1; silence does not count: by the caller (down), and by the agent, as it reports "
    "(agent_down).",
    direction=("down", "agent_down"),
)
JITTER = _family(
    "voice_call_jitter_seconds",
    "gauge",
    f"{_LABELS} direction",
    "RTP interarrival jitter at the end of the last call: up as reported by the SFU, down as "
    "measured by the caller; agent_up and agent_down the same of the agent, as it reports.",
    direction=_DIRECTIONS,
)
FAMILIES = (
    *(GAP, LEVEL, CLIPPED, BANDWIDTH, MOS, SPEECH, OVERLAP),
    *(PACKETS, PACKETS_LOST, CONCEALED, JITTER),
)


def readings(call: CallResult) -> Iterator[Reading]:
    """Show how a call sounded."""
    for turn in call.turns:
        if turn.reply is not None and not turn.warmup:
            yield GAP.read(turn.reply.longest_gap_s)
    if (found := CallSound.of(call)) is not None:
        yield LEVEL.read(found.level_dbfs)
        yield CLIPPED.read(found.clipped_ratio)
        yield BANDWIDTH.read(found.bandwidth_hz)
        if found.mos is not None:
            yield MOS.read(found.mos.signal, model="dnsmos_signal")
            yield MOS.read(found.mos.background, model="dnsmos_background")
            yield MOS.read(found.mos.overall, model="dnsmos_overall")
    if call.speech_s is not None:
        yield SPEECH.read(call.speech_s.caller, speaker="caller")
        yield SPEECH.read(call.speech_s.agent, speaker="agent")
    if call.overlap_s is not None:
        yield OVERLAP.read(call.overlap_s)
    if call.media is not None:
        yield from _of_media(call.media)


def _of_media(media: Media) -> Iterator[Reading]:
    for direction in _DIRECTIONS:
        way: MediaDirection | None = getattr(media, direction)
        if way is None:
            continue
        yield PACKETS.read(way.packets, direction=direction)
        if way.lost is not None:
            yield PACKETS_LOST.read(way.lost, direction=direction)
        if way.jitter_s is not None:
            yield JITTER.read(way.jitter_s, direction=direction)
        if way.concealed_ratio is not None:
            yield CONCEALED.read(way.concealed_ratio, direction=direction)
