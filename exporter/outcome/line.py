"""What the relay of a bad line did to the RTP of a call."""

from dataclasses import dataclass

from exporter.outcome.network import broke


@dataclass(frozen=True, slots=True)
class LineDirection:
    """RTP packets of a call in one direction, as the relay counted them; neither RTCP nor others.

    `packets` is the sum of those that were sent on, of those that were dropped, and of the few
    that were still held when the call ended.
    """

    packets: int
    """That came to the relay."""
    sent: int
    """Sent on."""
    lost: int
    """Dropped by `loss`."""
    overflowed: int
    """Dropped because the queue of `rate` was full."""
    silenced: int
    """Dropped by a silence that was set off."""
    delay_p50_s: float | None = None
    """How long the relay held packets, in seconds; None where it sent none."""
    delay_p95_s: float | None = None
    delay_max_s: float | None = None
    late_p95_s: float | None = None
    """How late the relay itself sent what it had held, in seconds: a part of the delay that nobody
    set. None where it held nothing."""
    late_max_s: float | None = None

    @property
    def dropped(self) -> int:
        """Packets that the relay dropped, whatever by."""
        return self.lost + self.overflowed + self.silenced

    @property
    def loss_ratio(self) -> float | None:
        """The dropped share, 0 to 1; None where no packet came."""
        return self.dropped / self.packets if self.packets else None


@dataclass(frozen=True, slots=True)
class LineCounts:
    """What the relay did in both directions."""

    up: LineDirection
    """From the caller to the SFU."""
    down: LineDirection
    """From the SFU to the caller."""


@dataclass(frozen=True, slots=True)
class CallReconnect:
    """A call's connection that was broken on purpose."""

    kind: str
    """signal, full, migration or silence."""
    seconds: float | None = None
    """From the break until the SDK reported the connection as made again; of a silence, until the
    agent's media came again, the silence itself included. None where that did not come in time."""
    answered: bool | None = None
    """Whether the agent answered the next turn; None while there was none that tells."""

    @property
    def recovered(self) -> bool | None:
        """Whether the call went on as before; None where that is not known."""
        return self.answered if self.seconds is not None else False

    def __str__(self) -> str:
        back = "not back in time" if self.seconds is None else f"back after {self.seconds:.2f} s"
        answers = {
            None: "",
            True: ", the next turn was answered",
            False: ", no answer to the next turn",
        }
        return f"{broke(self.kind)}: {back}{answers[self.answered]}"
