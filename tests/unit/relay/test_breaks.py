"""A connection that is broken on purpose, on a virtual clock."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from exporter.errors import ProbeError
from exporter.outcome import CallReconnect, CallResult, Reason
from exporter.probes.latency.breaks import break_connection, fall_silent
from exporter.probes.latency.broken import readings
from exporter.rtc.line import Received
from tests import virtual_time
from tests.virtual_time import Clock


class Broken:
    """A caller whose connection comes back so long after it was broken; None: it does not."""

    def __init__(self, clock: Clock, back_s: float | None, refuses: str = "") -> None:
        self._clock, self._back_s, self._refuses = clock, back_s, refuses
        self._handlers: list[Callable[[], Any]] = []
        self.room: Any = self
        self.ended: ProbeError | None = None
        self._silent_from = self._silent_until = clock()

    def on(self, name: str, handler: Callable[[], Any]) -> None:
        """Take a handler, as a room does."""
        assert name == "reconnected"
        self._handlers.append(handler)

    def off(self, _name: str, handler: Callable[[], Any]) -> None:
        """Give one back."""
        self._handlers.remove(handler)

    async def simulate_scenario(self, _kind: int) -> None:
        """Break the connection."""
        if self._refuses:
            raise RuntimeError(self._refuses)
        if self._back_s is not None:
            loop = asyncio.get_running_loop()
            loop.call_later(self._back_s, lambda: [each() for each in self._handlers])

    def silence(self, seconds: float) -> None:
        """Let nothing through, as the relay does; media comes `back_s` after that."""
        self._silent_from = self._clock()
        after_s = 1e9 if self._back_s is None else self._back_s
        self._silent_until = self._clock() + seconds + after_s

    def check(self) -> None:
        """Raise why the call ended."""
        if self.ended:
            raise self.ended

    async def received(self) -> Received:
        """Count a packet each 20 ms, but in the silence."""
        now = self._clock()
        heard_until = self._silent_from if now < self._silent_until else now
        return Received(round(heard_until / 0.02), 0.0, 0)


def broken(
    story: Callable[[Broken], Coroutine[Any, Any, CallReconnect]],
    back_s: float | None,
    refuses: str = "",
) -> CallReconnect:
    """Return what came of a break."""

    async def run(clock: Clock) -> CallReconnect:
        caller = Broken(clock, back_s, refuses)
        try:
            return await story(caller)
        finally:
            assert caller._handlers == []

    return virtual_time.run(run)


@pytest.mark.parametrize("kind", ["signal", "full", "migration"])
def test_a_break_takes_until_the_connection_is_made_again(kind: str) -> None:
    """Or is not coming back in time: the call has not recovered then."""
    back = broken(lambda caller: break_connection(caller, kind, 10.0), 1.5)
    assert back.kind == kind
    assert back.seconds == pytest.approx(1.5)
    assert back.recovered is None
    lost = broken(lambda caller: break_connection(caller, kind, 10.0), None)
    assert lost == CallReconnect(kind)
    assert lost.recovered is False


def test_a_connection_that_cannot_be_broken_is_void() -> None:
    """It says nothing about the agent."""
    with pytest.raises(ProbeError, match="could not be broken: no such scenario") as error:
        broken(lambda caller: break_connection(caller, "full", 10.0), 1.0, "no such scenario")
    assert error.value.reason is Reason.VOID


@pytest.mark.parametrize("back_s", [0.0, 2.0])
def test_a_silence_takes_until_media_comes(back_s: float) -> None:
    """Its own length is part of it."""
    back = broken(lambda caller: fall_silent(caller, caller, 3.0, 10.0), back_s)  # type: ignore[arg-type] # a relay, as far as it is used
    assert back.kind == "silence"
    assert back.seconds == pytest.approx(3.0 + back_s, abs=0.041)


def test_a_silence_from_which_no_media_comes_has_no_time() -> None:
    """The wait after it is bounded."""
    lost = broken(lambda caller: fall_silent(caller, caller, 3.0, 10.0), None)  # type: ignore[arg-type] # as above
    assert lost == CallReconnect("silence")


def test_a_call_that_ended_meanwhile_says_why() -> None:
    """It is not just late."""
    ended = ProbeError(Reason.AGENT_LEFT, "it left")

    async def leave(caller: Broken) -> CallReconnect:
        caller.ended = ended
        return await break_connection(caller, "full", 1.0)

    with pytest.raises(ProbeError, match="it left"):
        broken(leave, None)


def test_breaks_are_counted_by_what_became_of_the_call() -> None:
    """Those that came back have a time, whether the agent answered then or not."""
    breaks = (
        CallReconnect("full", 1.5, answered=True),
        CallReconnect("signal", 0.5, answered=False),
        CallReconnect("silence", 3.5),
        CallReconnect("migration"),
    )
    call = CallResult("demo", "default", "broken", reconnects=breaks)
    told = [(*each.labels.values(), each.value) for each in readings(call)]
    assert told == [
        ("full", "recovered", 1),
        ("full", 1.5),
        ("signal", "lost", 1),
        ("signal", 0.5),
        ("silence", "void", 1),
        ("silence", 3.5),
        ("migration", "lost", 1),
    ]
