"""What the caller says, as it is configured: sound files, texts to be spoken, built-in clips."""

import shutil
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from exporter.config.rules import Faults, rule
from exporter.config.values import FILE, Secret, SecretFromFile, Section, invalid
from exporter.errors import ConfigError
from exporter.probes.latency.understood import has_words
from exporter.rtc.clip import MAX_CLIP_S, clip_length_s, load_clip

ESPEAK = "espeak-ng"
"""The program that speaks where no URL does."""
SPEAKING_S = 20.0
"""How long it may take to have one text spoken; it is done once and kept."""
MOST_CHARACTERS = 300

_SLOWEST_S = 0.2
"""Of speech for a character, one of Chinese at most; for the deadline, before it is spoken."""


def _check_clip(file: Path) -> Path:
    """Refuse a sound file that the caller could not say."""
    try:
        load_clip(file)
    except ConfigError as error:
        if isinstance(error.__cause__, OSError):
            why = error.__cause__.strerror
            raise invalid(f"{{value}} cannot be read: {why}; expected a sound file") from None
        raise invalid("{value}: " + str(error).removeprefix(f"{file}: ")) from None
    return file


def _check_words(text: str) -> str:
    if text and not has_words(text):
        raise invalid("{value} has no words; expected what is said")
    return text


def _check_url(url: str) -> str:
    """Refuse what is no address of a speech service, without repeating what may be a secret."""
    import httpx  # noqa: PLC0415 - only where a text is spoken by a service

    try:
        httpx.URL(url)
        parts = urlsplit(url)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        usable = usable and not any(map(str.isspace, url))
    except (ValueError, httpx.InvalidURL):
        usable = False
    if not usable:
        raise invalid("is no URL of a speech service; expected http:// or https:// and a host")
    if parts.username or parts.password:
        raise invalid("contains a user name or password; expected a key in api_key_file")
    return url


_Words = Annotated[str, AfterValidator(_check_words)]


class Say(Section):
    """A text that is spoken once, by espeak-ng or by a speech service, and kept."""

    text: _Words = Field(min_length=1, max_length=MOST_CHARACTERS, description="What is said.")
    voice: str = Field(
        "",
        description="Voice of espeak-ng, such as `en-us` or `de`, or of the speech service; the "
        "default of espeak-ng, or `alloy`, if not set.",
    )
    url: Annotated[str, AfterValidator(_check_url)] | None = Field(
        None,
        description="Speech service with the API of OpenAI, such as "
        "`https://api.openai.com/v1/audio/speech`; espeak-ng on this host if not set.",
    )
    model: str = Field("tts-1", description="Model of the speech service.")
    api_key: Secret | None = Field(None, description="API key of the speech service.")
    api_key_file: SecretFromFile | None = Field(None, description="File with that API key.")

    @rule
    def _can_be_spoken(self) -> Faults:
        if self.url is None and shutil.which(ESPEAK) is None:
            yield invalid(f"needs the program {ESPEAK}, which is not installed; or set url", "text")

    @rule
    def _key_can_be_sent(self) -> Faults:
        if not (self.secret.isascii() and self.secret.isprintable()):
            key = "api_key" if self.api_key else "api_key_file"
            yield invalid("cannot be sent; expected printable ASCII characters on one line", key)

    @property
    def secret(self) -> str:
        """The API key; "" where there is none."""
        found = self.api_key or self.api_key_file
        return found.get_secret_value() if found else ""


class Utterance(Section):
    """The caller's speech: a sound file, a text to be spoken, or the built-in clips in turn."""

    wav: Annotated[Path, AfterValidator(_check_clip), FILE] | None = Field(
        None,
        description="Sound file with the caller's speech: WAV of any kind, FLAC or Ogg. Built-in "
        "clips, in turn, if neither this nor `say` is set.",
    )
    transcript: _Words = Field(
        "",
        description="Words of the sound file, by which it is measured how much the agent "
        "understands; not measured if empty. Of `say` and of the built-in clips they are known.",
    )
    say: Say | None = Field(None, description="Text to be spoken.")

    @rule
    def _is_one_thing(self) -> Faults:
        if self.wav is not None and self.say is not None:
            yield invalid("conflicts with wav; expected one of them", "say")

    @property
    def longest_s(self) -> float:
        """How long it may be, in seconds: the length of a text is known only when it is spoken."""
        if self.say is None:
            return clip_length_s(self.wav)
        return min(MAX_CLIP_S, 1.0 + _SLOWEST_S * len(self.say.text))
