"""What leases need of a store that all exporters of a group share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has a lease."""

    member: str
    fence: int
    """The fencing number: of two leases of one work, the later one has the larger number."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease that was given."""

    fence: int
    since_run_s: float | None
    """Seconds since the last run of the work began, of whichever member; None: it is not known."""


class LeaseClient(Protocol):
    """Atomic operations on leases. Every method may raise `StoreError`.

    After an error, what was asked for may have happened all the same.

    A store that lost what it knew (it was restarted, or a replica took its place) must give no
    lease of a duration before that duration has passed: the leases that it has forgotten are over
    then. Until then, a holder may renew what was forgotten.
    """

    async def beat(self, member: str, lasts_s: float, load: int) -> Mapping[str, int]:
        """Note that a member lives, for so long, with a load; return the loads of all that do."""

    async def leave(self, member: str) -> None:
        """Note that a member lives no longer."""

    async def holders(self, works: Sequence[str]) -> Mapping[str, Holder]:
        """Return who has the leases of these works; those that nobody has are left out."""

    async def acquire(self, work: str, member: str, lasts_s: float) -> Grant | None:
        """Take a lease that nobody has; None if somebody has it, or none may be given yet."""

    async def renew(self, member: str, leases: Mapping[str, tuple[int, float]]) -> frozenset[str]:
        """Let leases last for longer, each only if the member has it with that number.

        Args:
            member: Who has them.
            leases: By work: the fencing number, and the seconds from now on.

        Returns:
            The works whose leases were renewed.
        """

    async def release(self, work: str, member: str, fence: int) -> None:
        """Give a lease back, if the member has it with that number."""

    async def began(self, work: str, member: str, fence: int, ago_s: float = 0.0) -> bool:
        """Note that a run began so long ago; return whether the member has the lease."""

    async def aclose(self) -> None:
        """Let go of the store, at the end."""
