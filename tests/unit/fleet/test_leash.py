"""The process of a run ends it with its lease."""

import threading
from dataclasses import dataclass, field

import pytest

from exporter.run import leash
from exporter.run.leash import ends_with


@dataclass
class Story:
    """A lease that is renewed at some waits, on a clock that only waiting moves."""

    value: float
    renewed_to: list[float] = field(default_factory=list)
    ends_after: int = 100
    """Waits after which the run ends by itself."""
    now: float = 0.0
    ended_at: float | None = None

    def wait(self, seconds: float) -> bool:
        """As `Event.wait`."""
        self.now += seconds
        self.ends_after -= 1
        if self.renewed_to:
            self.value = self.renewed_to.pop(0)
        return self.ends_after <= 0

    def end(self) -> None:
        """Be told to end the run."""
        self.ended_at = self.now


@pytest.mark.parametrize(
    ("story", "ended_at"),
    [
        (Story(7.0), 7.0),
        (Story(7.0, renewed_to=[9.0, 16.0]), 16.0),
        (Story(7.0, ends_after=1), None),
        (Story(7.0, renewed_to=[9.0], ends_after=2), None),
        (Story(-1.0), 0.0),
        (Story(7.0, renewed_to=[float("inf")], ends_after=2), None),
    ],
    ids=["ends", "renewed", "over before", "renewed and over", "late", "no lease any more"],
)
def test_a_run_ends_with_its_lease(
    story: Story, ended_at: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before, as long as it is renewed; and one that is over ends nothing."""
    monkeypatch.setattr(leash, "now_s", lambda: story.now)
    over = threading.Event()
    monkeypatch.setattr(over, "wait", story.wait)
    ends_with(story, over, story.end)
    assert story.ended_at == ended_at
