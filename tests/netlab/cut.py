"""Cut the link under the project's own baseline, and report what both saw of it."""

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

from exporter.outcome import SfuBaseline
from exporter.server_api import Server
from tests import patience
from tests.netlab.lab import NetLab
from tests.netlab.probe import Probe

_FLOWING = 500
"""Media packets on the link: it is the baseline that is being taken."""


@dataclass(frozen=True, slots=True)
class Noticed:
    """What was seen of one cut."""

    told: SfuBaseline
    true_gap_s: float
    """Longest time without media on the way down, as the link has seen it."""


def cut_under_baseline(lab: NetLab, server: Server, seconds: float, **settings: object) -> Noticed:
    """Do as `cut_under`, with a probe for this only."""
    with Probe(lab, server) as probe:
        return cut_under(lab, probe, seconds, **settings)


def cut_under(lab: NetLab, probe: Probe, seconds: float, **settings: object) -> Noticed:
    """Cut the link for a while under a baseline.

    Args:
        lab: An open laboratory.
        probe: At its near end.
        seconds: For so long.
        settings: Of the probe; it must last until media flow again.

    Raises:
        RuntimeError: The baseline could not be taken.
    """
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(partial(probe.baseline, **settings))
        _wait_for_media(lab, taken)
        lab.link.cut(seconds)
        told = taken.result()
    return Noticed(told, lab.link.counts().down.rtp_gap_s)


def _wait_for_media(lab: NetLab, taken: Future[SfuBaseline]) -> None:
    lab.link.become(up=lab.link.up, down=lab.link.down)

    def flow() -> bool:
        return lab.link.counts().down.rtp >= _FLOWING or taken.done()

    patience.until(flow, patience.START_S, "media on the link")
