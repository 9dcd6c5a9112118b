"""One file with the calls of a command: figures, pictures and sound, without a server."""

from base64 import b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from exporter.evidence.kept import KeptCall
from exporter.evidence.sound import SOUND_TYPE
from exporter.outcome import Verdict
from exporter.store.records import RunRecord
from exporter.web.rendering import new_nonce, policy, template
from exporter.web.run_page import CallView, common, moment

_MISSING = "Nothing is kept of this call, so there is no picture of it."


@dataclass(frozen=True, slots=True)
class ReportedCall:
    """One call of a report."""

    record: RunRecord
    kept: KeptCall | None = None
    """What is kept of it: without it there are figures and no picture."""
    sound: Path | None = None
    """The file with its sound."""

    @property
    def url(self) -> str:
        """The sound as a URL that needs no server; "" for none."""
        if self.sound is None:
            return ""
        try:
            content = self.sound.read_bytes()
        except OSError:  # a disk that fails costs evidence, never the report
            return ""
        return f"data:{SOUND_TYPE};base64,{b64encode(content).decode()}"


def report_page(
    calls: Iterable[ReportedCall],
    *,
    title: str,
    server: str,
    run_at: datetime,
    verdict: Verdict,
    reasons: Iterable[str] = (),
) -> str:
    """Return the report; it loads nothing from anywhere.

    Args:
        calls: What is in it, in this order.
        title: The command.
        server: Name of the server.
        run_at: When it began, UTC.
        verdict: Of the whole.
        reasons: What keeps it from PASS, a line each.
    """
    nonce = new_nonce()
    return template("report.html").render(
        title=title,
        server=server,
        run_at=moment(run_at),
        verdict=verdict,
        reasons=list(reasons),
        views=[CallView.of(each.record, each.kept, each.url, missing=_MISSING) for each in calls],
        policy=policy(nonce, "media-src data:; form-action 'none'"),
        **common("", nonce),
    )
