"""The line of a call: what becomes of the caller's voice before it is sent (`line`)."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from exporter.config.rules import Faults, rule
from exporter.config.values import invalid
from exporter.errors import ConfigError
from exporter.outcome import Sending
from exporter.probes.latency.relayed import EachWay, NetworkLine
from exporter.rtc.clip import load_clip

KINDS = ("babble", "pink", "white")
"""Of built-in noise."""
DEFAULT_SNR_DB = 10.0
_EXPECTED = "expected babble, pink, white or a sound file"


def _check_noise(noise: str) -> str:
    """Refuse what is neither a kind of noise nor a sound file."""
    if noise in KINDS:
        return noise
    file = Path(noise)
    try:
        load_clip(file)
    except ConfigError as error:
        if isinstance(error.__cause__, OSError):
            why = error.__cause__.strerror
            raise invalid(f"{{value}} cannot be read: {why}; {_EXPECTED}") from None
        why = str(error).removeprefix(f"{file}: ").partition(";")[0]
        raise invalid(f"{{value}}: {why}; {_EXPECTED}") from None
    return noise


_Noise = Annotated[
    str,
    AfterValidator(_check_noise),
    # A path is relative to the YAML file, and these words are none.
    WithJsonSchema({"type": "string", "format": "file-path", "x-words": list(KINDS)}),
]


class LineConfig(NetworkLine):
    """A bad line: noise behind the caller, a poor microphone or encoding, a bad network."""

    noise: _Noise | None = Field(
        None,
        description="Noise behind the caller during the whole call: babble (eight people who "
        "talk), pink, white, or a sound file that is repeated.",
    )
    snr_db: float | None = Field(
        None,
        ge=-10,
        le=60,
        description="Active level of each utterance above the level of the noise, in dB; 10 if "
        "not set.",
    )
    low_quality_microphone: bool = Field(
        False,
        description="The caller is heard as by telephone: 8 kHz, 300 to 3400 Hz, G.711 mu-law.",
    )
    bitrate: float | None = Field(
        None, ge=6, le=510, description="Bit rate of Opus in kbit/s; the SDK's own if not set."
    )
    red: bool = Field(
        True,
        description="Send each packet again with the next one (RED, RFC 2198), as the SDK does; "
        "false: a lost packet is lost.",
    )

    @rule
    def _snr_of_a_noise(self) -> Faults:
        if self.snr_db is not None and self.noise is None:
            yield invalid("needs noise; expected babble, pink, white or a sound file", "snr_db")

    @property
    def noise_file(self) -> Path | None:
        """The sound file of the noise; None where it is built in, or there is none."""
        return None if self.noise is None or self.noise in KINDS else Path(self.noise)

    @property
    def sending(self) -> Sending | None:
        """How the caller's voice is sent; None where that is as ever."""
        snr_db = self.snr_db if self.snr_db is not None else DEFAULT_SNR_DB
        found = Sending(
            noise=Path(self.noise).name if self.noise else "",
            snr_db=snr_db if self.noise else None,
            low_quality_microphone=self.low_quality_microphone,
            bitrate_kbps=self.bitrate,
            red=self.red,
        )
        return None if found == Sending() else found


LINES: Mapping[str, LineConfig] = MappingProxyType(
    {
        "noise": LineConfig(noise="babble", snr_db=DEFAULT_SNR_DB),
        "low_quality_microphone": LineConfig(low_quality_microphone=True),
        "packet_loss": LineConfig(loss=EachWay(5, 5), burst=EachWay(2, 2)),
    }
)
"""The lines of built-in scenarios, by the name of the scenario."""
