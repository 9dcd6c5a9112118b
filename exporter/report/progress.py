"""Progress of calls on stderr."""

from typing import Self

from rich.status import Status
from rich.text import Text

from exporter.outcome import (
    Turn,
    TurnOutcome,
)
from exporter.probes.latency.spec import LatencyConfig
from exporter.report.call_figures import LatencyReport
from exporter.report.latency import NONE_FOUND, failure_lines, turn_line
from exporter.report.printing import (
    agent_label,
    clean,
    console,
    say,
    why,
)

COST_NOTE = "each turn is a real agent turn and costs what its providers charge"


class StderrProgress:
    """Progress on stderr: a line for each turn, and on a terminal what it is waiting for."""

    def __init__(self, *, reported: bool = False) -> None:
        """Print nothing yet.

        Args:
            reported: A report follows, which has the turns that were not measured.
        """
        self._reported = reported
        self._console = console(stderr=True)
        self._status: Status | None = None
        self._config: LatencyConfig | None = None
        self._done = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._status:
            self._status.stop()

    def doing(self, what: str) -> None:
        """Say what begins."""
        if not self._console.is_terminal:
            self._console.print(what)
        elif self._status:
            self._status.update(Text(what))
        else:
            self._status = self._console.status(Text(what))
            self._status.start()

    def calling(self, config: LatencyConfig) -> None:
        """Say which agent is called, and before the first call what calls cost."""
        if self._config is None:
            self._console.print(f"voice-exporter: {COST_NOTE}")
        self._config, self._done = config, 0
        self.doing(f"calling {agent_label(config.agent_name)} ({self._planned} turns)")

    def turn(self, turn: Turn) -> None:
        """Say how a turn ended."""
        self._done += 1
        name = agent_label(self._config.agent_name if self._config else "")
        if turn.outcome is TurnOutcome.REPLIED or not self._reported:
            say(self._console, f"{name} {turn_line(self._done, turn)}")
        if self._status and self._done < self._planned:
            self._status.update(Text(f"calling {name}, turn {self._done + 1} of {self._planned}"))

    def explain(self, report: LatencyReport) -> None:
        """Say what went wrong, for people who send the document elsewhere."""
        if report.failure:
            say(self._console, f"agents could not be listed: {why(report.failure)}")
        elif not report.calls:
            self._console.print(NONE_FOUND)
        for finding in report.unasked:
            say(self._console, clean(str(finding)))
        for call in report.calls:
            for line in failure_lines(call):
                say(self._console, line)

    @property
    def _planned(self) -> int:
        return self._config.turns if self._config else 0
