"""How many runs in a row were not well: what alerts ask for instead of a span of time."""

from dataclasses import dataclass

from exporter.outcome import Verdict


@dataclass(frozen=True, slots=True)
class Streak:
    """The latest runs of one probe of one target, as far as they are alike."""

    slow: int = 0
    """How many in a row were SLOW or FAIL."""
    fail: int = 0
    """How many in a row were FAIL."""

    def after(self, verdict: Verdict) -> "Streak":
        """Return the streak with one more run; UNKNOWN says nothing, so it changes nothing."""
        match verdict:
            case Verdict.UNKNOWN:
                return self
            case Verdict.FAIL:
                return Streak(self.slow + 1, self.fail + 1)
            case Verdict.SLOW:
                return Streak(self.slow + 1)
            case Verdict.PASS:
                return Streak()
