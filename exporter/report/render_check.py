"""The report of `check` for people."""

from rich.text import Text

from exporter.report.check import CheckReport
from exporter.report.render import (
    STYLES,
    clean,
    console,
    print_agents,
    print_latency,
    print_workers,
)
from exporter.report.render_sfu import print_sfu


def print_check(report: CheckReport) -> None:
    """Print what the three diagnostics found, then the reasons and the one verdict."""
    out = console()
    if report.fleet.listing.ok:
        print_agents(report.listing)
        if report.fleet.asked:
            print_workers(report.fleet.workers, report.fleet.now)
        out.print()
    print_latency(report.latency, label="LATENCY")
    out.print()
    print_sfu(report.sfu, label="SFU")
    out.print()
    for reason in report.reasons():
        out.print(clean(reason), soft_wrap=True)
    out.print(Text("VERDICT: ").append(report.verdict, STYLES[report.verdict]))
