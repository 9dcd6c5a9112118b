"""How many runs in a row were not well: what alerts ask for instead of a span of time."""

from dataclasses import dataclass, replace

from exporter.outcome import Verdict


@dataclass(frozen=True, slots=True)
class Streak:
    """The latest runs of one probe of one target, as far as they are alike."""

    slow: int = 0
    """How many in a row were SLOW or FAIL."""
    fail: int = 0
    """How many in a row were FAIL."""
    unknown: int = 0
    """How many in a row said nothing, by the prober's own fault."""

    def after(self, verdict: Verdict) -> "Streak":
        """Return the streak with one more run; UNKNOWN says nothing, so it breaks no other row."""
        match verdict:
            case Verdict.UNKNOWN:
                return replace(self, unknown=self.unknown + 1)
            case Verdict.FAIL:
                return Streak(self.slow + 1, self.fail + 1)
            case Verdict.SLOW:
                return Streak(self.slow + 1)
            case Verdict.PASS:
                return Streak()
