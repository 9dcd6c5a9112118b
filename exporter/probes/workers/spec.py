"""Read the worker pages: the only source for idle workers without heartbeats."""

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from exporter.config.values import Duration, ProbeSection, invalid
from exporter.outcome import Finding, Outcome, Verdict, WorkerScrape, failure
from exporter.probe import Probe, always
from exporter.series import Reading, family

_EXPECTED = (
    "expected http://HOST:PORT, https://HOST:PORT, dns://NAME:PORT for every address of a name, "
    "or srv://_SERVICE._tcp.NAME"
)


def _check_url(url: str) -> str:
    """Refuse what cannot be scraped, without repeating what may be a secret."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise invalid(f"has no valid host and port; {_EXPECTED}") from None
    if parts.scheme not in ("http", "https", "dns", "srv"):
        raise invalid(f"has an unknown scheme; {_EXPECTED}")
    if parts.username is not None or parts.password is not None:
        raise invalid("contains a user name or password; worker pages need none")
    if not host:
        raise invalid(f"has no host; {_EXPECTED}")
    if parts.scheme == "dns" and not port:
        raise invalid("{value} has no port; expected dns://NAME:PORT")
    if parts.scheme == "srv" and port is not None:
        raise invalid(
            "{value} has a port, which is part of SRV records; expected srv://_SERVICE._tcp.NAME"
        )
    if parts.path not in ("", "/", "/worker") or parts.query or parts.fragment:
        raise invalid("{value} has a path; expected none: /worker is added")
    return url


class WorkersConfig(ProbeSection):
    """Worker pages, and when a worker counts as offline."""

    scrape: tuple[Annotated[str, AfterValidator(_check_url)], ...] = Field(
        (),
        description=(
            "Addresses of worker pages (port 8081 by default): http://HOST:PORT, dns://NAME:PORT "
            "for every address of a name, srv://_SERVICE._tcp.NAME."
        ),
    )
    interval: Duration = Field(15.0, ge=1, description="Time between two reads.")
    timeout: Duration = Field(3.0, gt=0, description="Time limit to read one page.")
    deadline: Duration = Field(30.0, gt=0, description="Time limit to read all pages.")
    concurrency: int = Field(
        64, ge=1, le=1024, description="Number of pages read at the same time."
    )
    offline_after: Duration = Field(
        45.0, gt=0, description="Time without a report after which a worker is offline."
    )
    forget_after: Duration = Field(
        3600.0,
        gt=0,
        description="Time without a report after which a worker and its series are removed.",
    )
    full_load: float = Field(
        0.7,
        gt=0,
        description=(
            "Load from which a worker known only by its page is full: its own load_threshold."
        ),
    )
    max_workers: int = Field(
        10_000,
        ge=1,
        description="Maximum number of known workers; reports of further workers are refused.",
    )

    @property
    def scheduled(self) -> bool:
        """Whether it runs on a schedule."""
        return bool(self.scrape)


def summary(result: WorkerScrape) -> str:
    """Say how many answered."""
    answered = sum(page.reason is None for page in result.pages)
    return f"{answered} of {len(result.pages)} workers answered"


def judge(_config: WorkersConfig, outcome: Outcome) -> tuple[Finding, ...]:
    """Judge a read of the pages: FAIL when it failed, SLOW when some did not answer."""
    pages = outcome.result.pages if isinstance(outcome.result, WorkerScrape) else ()
    failed = [page for page in pages if page.reason is not None]
    if outcome.reason is not None or not failed:
        return failure(outcome)
    text = f"{len(failed)} of {len(pages)} worker pages did not answer; {failed[0].url}: "
    return (Finding(Verdict.SLOW, text + failed[0].detail),)


PAGES = family(
    "workers",
    "voice_worker_pages",
    "gauge",
    "result",
    "Configured worker pages by result of the last read: answered or failed. Absent before the "
    "first read.",
    keeps=True,
)


def readings(_config: WorkersConfig, outcome: Outcome) -> Iterator[Reading]:
    """Show how many pages could be read; a run that the prober spoiled has asked too few."""
    if outcome.reason is not None and outcome.reason.is_own_fault:
        return
    if isinstance(outcome.result, WorkerScrape):
        failed = sum(page.reason is not None for page in outcome.result.pages)
        yield PAGES.read(len(outcome.result.pages) - failed, result="answered")
        yield PAGES.read(failed, result="failed")


PROBE = Probe(
    name="workers",
    config=WorkersConfig,
    measure="exporter.probes.workers.measure:read_workers",
    lane="api",
    judge=judge,
    summary=summary,
    families=(PAGES,),
    reader=always(readings),
)
