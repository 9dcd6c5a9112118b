"""The caller's utterances, ready to be sent: read, or spoken once and kept."""

import asyncio
import hashlib
import os
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import httpx

from exporter.config.values import ProbeSection
from exporter.errors import ConfigError, ProbeError
from exporter.outcome import Reason
from exporter.probes.latency.utterances import ESPEAK, SPEAKING_S, Say, Utterance
from exporter.rtc.clip import Clip, load_clip, shipped_clips
from exporter.store.config import default_folder

_VOICE = "alloy"
"""Of a speech service, where none is named: the API of OpenAI asks for one."""
_MOST_BYTES = 20_000_000
"""Of the sound of one text: a minute of stereo at 48 kHz has 12 million."""
_UNUSED_S = 30 * 86400


async def ready_clips(utterances: Sequence[Utterance]) -> tuple[Clip, ...]:
    """Return all that the caller says, in the order of the configuration.

    A text that was spoken before comes from the cache.

    Raises:
        ConfigError: A sound file cannot be read any more.
        ProbeError: void: a text could not be spoken. It says nothing about the agent.
    """
    clips: list[Clip] = []
    for each in utterances:
        if each.say is not None:
            clip = await _spoken(each.say)
            clips.append(replace(clip, words=each.transcript or each.say.text))
        elif each.wav is not None:
            clips.append(replace(load_clip(each.wav), words=each.transcript))
        else:
            clips += shipped_clips()
    return tuple(clips)


async def clips_of(script: Sequence[Utterance]) -> tuple[Clip, ...]:
    """Return what the caller says in each step: one that names nothing has a built-in clip.

    Raises:
        ConfigError: As of `ready_clips`.
        ProbeError: The same.
    """
    found = [await ready_clips((step,)) for step in script]
    return tuple(clips[place % len(clips)] for place, clips in enumerate(found))


def in_turn(clips: Sequence[Clip], started_at: datetime, config: ProbeSection) -> tuple[Clip, ...]:
    """Return the clips in the order of one call: each call begins with another one.

    The first one follows from the number of the interval in which the call began, so nothing must
    be kept, and exporters that share a target agree.
    """
    first = int(started_at.timestamp() // config.interval) % len(clips)
    return (*clips[first:], *clips[:first])


async def _spoken(say: Say) -> Clip:
    file = speech_folder() / f"{_hash(say)}.wav"
    try:
        if not file.exists():
            _keep(file, await _speak(say))
        with suppress(OSError):  # of another user, or read-only: it is kept for 30 days only
            os.utime(file)
        return load_clip(file)
    except ConfigError as error:
        file.unlink(missing_ok=True)
        raise _unspoken(f"what was spoken is no utterance: {error}") from error


async def _speak(say: Say) -> bytes:
    """Return the text, spoken, as a sound file."""
    try:
        async with asyncio.timeout(SPEAKING_S):
            return await (_by_program(say) if say.url is None else _by_service(say, say.url))
    except TimeoutError as error:
        raise _unspoken(f"it took longer than {SPEAKING_S:g} s") from error
    except (httpx.LocalProtocolError, httpx.InvalidURL, UnicodeError) as error:
        # Their texts repeat what cannot be sent: it may be the key.
        raise _unspoken(f"it cannot be asked for: {type(error).__name__}") from None
    except httpx.HTTPError as error:
        raise _unspoken(f"the speech service: {str(error) or type(error).__name__}") from error
    except OSError as error:
        raise _unspoken(f"{ESPEAK}: {error.strerror}") from error


async def _by_program(say: Say) -> bytes:
    voice = ("-v", say.voice) if say.voice else ()
    process = await asyncio.create_subprocess_exec(
        *(ESPEAK, *voice, "--stdin", "--stdout"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        sound, _ = await process.communicate(say.text.encode())
    finally:
        with suppress(ProcessLookupError):
            process.kill()
    if process.returncode:
        raise _unspoken(f"{ESPEAK} ended with status {process.returncode}")
    return sound


async def _by_service(say: Say, url: str) -> bytes:
    asked = {
        "model": say.model,
        "input": say.text,
        "voice": say.voice or _VOICE,
        "response_format": "wav",
    }
    key = {"Authorization": f"Bearer {say.secret}"} if say.secret else {}
    sound = bytearray()
    async with (
        httpx.AsyncClient(timeout=SPEAKING_S) as client,
        client.stream("POST", url, json=asked, headers=key) as answer,
    ):
        if not answer.is_success:
            raise _unspoken(f"the speech service answered {answer.status_code}")
        async for part in answer.aiter_bytes():
            sound += part
            if len(sound) > _MOST_BYTES:
                raise _unspoken(f"the speech service sent more than {_MOST_BYTES // 10**6} MB")
    return bytes(sound)


def _unspoken(why: str) -> ProbeError:
    return ProbeError(Reason.VOID, f"the prober: an utterance could not be spoken: {why}")


def _hash(say: Say) -> str:
    """Return a name for the sound, which follows from all that makes it and not from the key."""
    parts = (say.text, say.voice, say.url or ESPEAK, say.model)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _keep(file: Path, sound: bytes) -> None:
    """Write a sound file as a whole: another process may look for it at the same time."""
    try:
        # The ledger is in the folder above, which is made here where a text comes first.
        for folder in (file.parent.parent, file.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_unused(file.parent)
        with tempfile.NamedTemporaryFile(dir=file.parent, delete=False) as part:
            try:
                part.write(sound)
                part.flush()
                Path(part.name).replace(file)
            except OSError:
                Path(part.name).unlink()
                raise
    except OSError as error:
        raise _unspoken(f"{file.parent}: {error.strerror}") from error


def _forget_unused(folder: Path) -> None:
    """Remove what no call has used for 30 days, and what a killed process has left."""
    for file in folder.iterdir():
        with suppress(FileNotFoundError):  # another process was first
            if time.time() - file.stat().st_mtime > _UNUSED_S:
                file.unlink()


def speech_folder() -> Path:
    """Return the folder of spoken texts: in the state folder, which a container can write to."""
    return default_folder(os.environ, os.getuid()) / "speech"
