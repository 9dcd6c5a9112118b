"""Read every worker's page once."""

from exporter.outcome import Outcome, WorkerScrape
from exporter.probe import Run
from exporter.probes.workers.pages import read_pages
from exporter.probes.workers.spec import WorkersConfig

_LOGGED = 20
"""Workers that did not answer, of which the run's log has a line each."""


async def read_workers(config: WorkersConfig, run: Run) -> Outcome:
    """Read every worker's page once.

    A worker that does not answer is in the result, with its reason. That no worker at all
    answers is a failure of the run; that none is configured is not. Where the prober itself spoiled
    a page the run is void, and the pages that were read count all the same.
    """
    pages = await read_pages(config, run)
    failed = [page for page in pages if page.reason is not None]
    run.log(f"{len(pages) - len(failed)} of {len(pages)} workers answered")
    for page in failed[:_LOGGED]:
        run.log(f"{page.url}: {page.detail}")
    result = WorkerScrape(pages)
    if spoiled := [page for page in failed if page.reason and page.reason.is_own_fault]:
        detail = f"{len(spoiled)} of {len(pages)} pages; {spoiled[0].url}: {spoiled[0].detail}"
        return run.outcome("workers", result=result, reason=spoiled[0].reason, detail=detail)
    if failed and len(failed) == len(pages):
        detail = f"none of {len(pages)} workers answered; {failed[0].url}: {failed[0].detail}"
        return run.outcome("workers", result=result, reason=failed[0].reason, detail=detail)
    return run.outcome("workers", result=result)
