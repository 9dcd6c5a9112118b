"""`--html FILE`: what a command found as one file, with the picture and the sound of each call."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from exporter.errors import ConfigError
from exporter.evidence.reading import read_call, sound_of
from exporter.outcome import Verdict
from exporter.report.call_documents import LatencyItem
from exporter.report.call_figures import CallReport, LatencyReport
from exporter.report.check import CheckReport
from exporter.web.report_page import ReportedCall, report_page


@contextmanager
def evidence_for(file: Path | None, save: Path | None = None) -> Iterator[Path | None]:
    """Have the folder in which calls are kept, and the file made before any call is paid for.

    Args:
        file: Of the report, if one is asked for: then calls are kept in any case, and removed
            again where nobody asked to save them.
        save: The folder that was asked for.

    Raises:
        ConfigError: The file or the folder cannot be written.
    """
    if file is not None:
        _write(file, "", mode="a")  # what is in it stays until there is something new
    if file is None or save is not None:
        yield save
        return
    try:
        folder = TemporaryDirectory(prefix="voice-exporter-", ignore_cleanup_errors=True)
    except OSError as error:
        why = f"no temporary folder for its calls: {error.strerror or error}"
        raise ConfigError(f"--html {file}: {why}; set TMPDIR") from None
    with folder:
        yield Path(folder.name)


def write_latency(file: Path | None, report: LatencyReport, folder: Path | None) -> None:
    """Write the report of `latency`; nothing where no file is asked for.

    Args:
        file: To be written.
        report: What was found.
        folder: In which the calls are kept, if they are.

    Raises:
        ConfigError: The file cannot be written.
    """
    failed = report.failure.findings or () if report.failure else ()
    reasons = map(str, (*report.unasked, *failed))
    _write_report(file, report, folder, command="latency", verdict=report.verdict, reasons=reasons)


def write_check(file: Path | None, report: CheckReport, folder: Path | None) -> None:
    """Write the report of `check`, as `write_latency` does."""
    verdicts = [f"{name}: {verdict}" for name, verdict in report.verdicts.items()]
    reasons = list(report.reasons()) or verdicts
    _write_report(
        file, report.latency, folder, command="check", verdict=report.verdict, reasons=reasons
    )


def _write_report(
    file: Path | None,
    report: LatencyReport,
    folder: Path | None,
    *,
    command: str,
    verdict: Verdict,
    reasons: Iterable[str],
) -> None:
    if file is not None:
        page = report_page(
            _calls(report.calls, folder),
            title=f"voice-exporter {command}",
            server=report.server,
            run_at=report.run_at,
            verdict=verdict,
            reasons=reasons,
        )
        _write(file, page)


def _calls(calls: Iterable[CallReport], folder: Path | None) -> Iterator[ReportedCall]:
    for call in calls:
        run_id = call.outcome.run_id
        kept = read_call(folder, run_id) if folder else None
        sound = sound_of(folder, run_id) if folder else None
        yield ReportedCall(LatencyItem.of_call(call), kept, sound)


def _write(file: Path, text: str, mode: str = "w") -> None:
    try:
        with file.open(mode, encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        why = error.strerror or error
        raise ConfigError(f"--html {file}: {why}; expected a file that can be written") from None
