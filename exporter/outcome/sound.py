"""How a call sounded: what its replies were like to hear, who spoke for how long, and the line."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mos:
    """What listeners would say of a reply, as DNSMOS P.835 estimates it: 1 is bad, 5 excellent."""

    signal: float
    """Of the speech itself."""
    background: float
    """Of the noise behind it; 5 is none that is heard."""
    overall: float


@dataclass(frozen=True, slots=True)
class ReplySound:
    """How one reply sounded where the caller heard it, after the codec and the jitter buffer."""

    level_dbfs: float
    """Active level: mean power while there is speech, 0 is a full-scale square wave. Pauses of
    0.2 s and more are left out."""
    clipped_ratio: float
    """Share of the samples of speech that were cut off at full scale before they were encoded, 0
    to 1. An estimate: a codec smears what was cut off."""
    bandwidth_hz: float
    """The highest frequency that speech has energy at: 3400 is a telephone, 20000 all that Opus
    carries."""
    longest_gap_s: float
    """The longest silence between the first sound of the reply and its last."""
    mos: Mos | None = None
    """None unless `sound.mos` is set; warm-up turns, and what could not be scored, have none."""


@dataclass(frozen=True, slots=True)
class Sending:
    """How the caller's voice was sent; the defaults are a clean line."""

    noise: str = ""
    """babble, pink, white, or the name of a file; "" where there is none."""
    snr_db: float | None = None
    """Active level of each utterance above the level of the noise."""
    low_quality_microphone: bool = False
    """8 kHz, 300 to 3400 Hz, G.711 mu-law."""
    bitrate_kbps: float | None = None
    """Of Opus; None is the SDK's own."""
    red: bool = True
    """Whether each packet was sent again with the next one."""

    def __str__(self) -> str:
        """Return it for people, such as `babble at 10 dB, 16 kbit/s`."""
        parts = (
            f"{self.noise} at {self.snr_db:g} dB" if self.snr_db is not None else "",
            "low-quality microphone" if self.low_quality_microphone else "",
            f"{self.bitrate_kbps:g} kbit/s" if self.bitrate_kbps is not None else "",
            "" if self.red else "no RED",
        )
        return ", ".join(filter(None, parts))


@dataclass(frozen=True, slots=True)
class SpeechSeconds:
    """For how long each side of a call was heard, in seconds; pauses below 0.2 s are speech."""

    caller: float
    agent: float
    """The greeting is part of it."""


@dataclass(frozen=True, slots=True)
class MediaDirection:
    """The RTP of a call, in one direction; None where it is not known."""

    packets: int
    """Sent, on the way up; expected, on the way down."""
    lost: int | None = None
    """Of these. On the way up as the SFU reports it; on the way down as the caller counts it,
    which includes what the agent's own way to the SFU has lost."""
    jitter_s: float | None = None
    """Between arrivals, at the end of the call."""
    concealed_ratio: float | None = None
    """Share of the audio that was made up because nothing came in time, 0 to 1, silence apart;
    on the way down only."""

    @property
    def loss_ratio(self) -> float | None:
        """The lost share, 0 to 1."""
        return self.lost / self.packets if self.lost is not None and self.packets else None


@dataclass(frozen=True, slots=True)
class Media:
    """The RTP of a call in both directions."""

    up: MediaDirection
    """From the caller to the SFU."""
    down: MediaDirection
    """From the SFU to the caller."""
    agent_up: MediaDirection | None = None
    """From the agent to the SFU, as the agent tells when it is asked; None where it does not."""
    agent_down: MediaDirection | None = None
    """From the SFU to the agent, as the agent tells: what it had to hear us by."""
