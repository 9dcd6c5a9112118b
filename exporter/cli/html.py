"""`--html FILE`: what a command found as one file, with a picture of each call that is kept."""

from collections.abc import Callable, Iterable
from pathlib import Path

from exporter.errors import ConfigError
from exporter.evidence.kept import KeptCall
from exporter.report.check import CheckReport
from exporter.report.latency import CallReport, LatencyItem, LatencyReport
from exporter.web.report_page import ReportedCall, report_page

Evidence = Callable[[str], tuple[KeptCall | None, bytes]]
"""Returns what is kept of a run, by its id, and the file with its sound."""


def _nothing_kept(_run_id: str) -> tuple[None, bytes]:
    return None, b""


def check_writable(file: Path | None) -> None:
    """Make the file before any call is paid for.

    Raises:
        ConfigError: It cannot be written.
    """
    if file is not None:
        _write(file, "", mode="a")  # what is in it stays until there is something new


def write_latency(
    file: Path | None, report: LatencyReport, evidence: Evidence = _nothing_kept
) -> None:
    """Write the report of `latency`; nothing where no file is asked for.

    Raises:
        ConfigError: The file cannot be written.
    """
    if file is None:
        return
    reasons = [str(each) for each in report.unasked]
    if report.failure:
        reasons += [str(each) for each in report.failure.findings or ()]
    page = report_page(
        _calls(report.calls, evidence),
        title="voice-exporter latency",
        server=report.server,
        run_at=report.run_at,
        verdict=report.verdict,
        reasons=reasons,
    )
    _write(file, page)


def write_check(file: Path | None, report: CheckReport, evidence: Evidence = _nothing_kept) -> None:
    """Write the report of `check`; nothing where no file is asked for.

    Raises:
        ConfigError: The file cannot be written.
    """
    if file is None:
        return
    verdicts = [f"{name}: {verdict}" for name, verdict in report.verdicts.items()]
    page = report_page(
        _calls(report.latency.calls, evidence),
        title="voice-exporter check",
        server=report.latency.server,
        run_at=report.latency.run_at,
        verdict=report.verdict,
        reasons=list(report.reasons()) or verdicts,
    )
    _write(file, page)


def _calls(calls: Iterable[CallReport], evidence: Evidence) -> Iterable[ReportedCall]:
    for call in calls:
        kept, sound = evidence(call.outcome.run_id)
        record = LatencyItem.of_call(call)
        yield ReportedCall(record, kept, sound, findings=call.outcome.findings or ())


def _write(file: Path, text: str, mode: str = "w") -> None:
    try:
        with file.open(mode, encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"--html {file}: {why}; expected a file that can be written") from None
