"""How a participant enters a room and leaves it: errors of the SDK become `ProbeError` here."""

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable

from livekit import rtc
from livekit.rtc.participant import PublishTrackError

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Reason
from exporter.server_api.errors import one_line

log = logging.getLogger(__name__)

LEAVE_TIMEOUT_S = 3.0
"""For each step of leaving."""

ATTEMPTS = 3
"""Connection attempts that fit into the time-out of `connect`."""

REFUSALS = (
    (re.compile(r"client error: 429\b"), Reason.QUOTA_EXCEEDED),
    (
        re.compile(r"\b40[13]\b(?!:)|unauthorized|invalid token|permission denied", re.IGNORECASE),
        Reason.AUTH_FAILED,
    ),
)
"""The SDK reports a refusal only in words."""


async def connect(
    room: rtc.Room,
    url: str,
    token: str,
    timeout_s: float,
    *,
    publish: Callable[[rtc.LocalParticipant], Awaitable[None]] | None = None,
    auto_subscribe: bool = True,
    rtc_config: rtc.RtcConfiguration | None = None,
    e2ee_key: str = "",
) -> float:
    """Enter a room, and publish there.

    Args:
        room: Not yet connected.
        url: Of the server.
        token: For one participant and one room.
        timeout_s: For all of it.
        publish: What to do once inside.
        auto_subscribe: Whether to receive what others publish.
        rtc_config: Ways that ICE may take; all of them if None.
        e2ee_key: With which audio and data are encrypted end to end; not encrypted if "".

    Returns:
        When the participant was in the room, with media ready, on the monotonic clock.

    Raises:
        ProbeError: auth_failed, quota_exceeded or connect_failed.
    """
    options = rtc.RoomOptions(
        auto_subscribe=auto_subscribe,
        connect_timeout=timeout_s / ATTEMPTS,
        rtc_config=rtc_config,
        encryption=_shared(e2ee_key) if e2ee_key else None,
    )
    began = time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            await room.connect(url, token, options)
            inside = time.monotonic()
            if publish is not None:
                await publish(room.local_participant)
    except TimeoutError as error:
        detail = f"no media connection within {timeout_s:g} s"
        raise Limit.CONNECTION.ran_out(detail, began, timeout_s) from error
    except (rtc.ConnectError, PublishTrackError) as error:
        failed = not_joined(error.message)
        if failed.reason is Reason.CONNECT_FAILED:  # a limit of the SDK's own may have run out
            failed = Limit.CONNECTION.ran_out(failed.detail, began, timeout_s)
        raise failed from error
    return inside


def _shared(key: str) -> rtc.E2EEOptions:
    return rtc.E2EEOptions(rtc.KeyProviderOptions(shared_key=key.encode()))


def not_joined(message: str) -> ProbeError:
    """Return the error of a failed join by the SDK's words."""
    reasons = (reason for words, reason in REFUSALS if words.search(message))
    reason = next(reasons, Reason.CONNECT_FAILED)
    return ProbeError(reason, one_line(f"could not join: {message}"))


async def leave(*steps: Callable[[], Awaitable[None]]) -> None:
    """Take every step of leaving a room, whatever became of the others; raises nothing."""
    for step in steps:
        try:
            async with asyncio.timeout(LEAVE_TIMEOUT_S):
                await step()
        except Exception as error:  # noqa: BLE001 - each step, whatever became of the others
            # The process is recycled, and the server drops a silent participant by itself.
            log.warning("leaving the room: %s", one_line(f"{type(error).__name__}: {error}"))


class Audience:
    """Whether anybody takes what a participant publishes.

    When the whole connection is built anew the SDK publishes again, as other tracks, before it
    reports the connection as made again. The others hear nothing until they have taken those.
    """

    def __init__(self, room: rtc.Room, on_change: Callable[[], None]) -> None:
        self.away = False
        """Nobody has taken yet what was published anew."""
        self._on_change = on_change
        room.on("local_track_republished", self._on_republished)
        room.on("local_track_subscribed", self._on_taken)

    def _on_republished(self, *_: object) -> None:
        self.away = True

    def _on_taken(self, _track: object) -> None:
        self.away = False
        self._on_change()
