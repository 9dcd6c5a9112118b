"""Figures of real calls against the truth of scripts: every kind of call, at its worst.

Deliveries come by a proxy that replays, reorders and forges them, and the exporter is killed when
all calls are under way. The quick form has one call of each kind; the long one has twenty, and a
twentieth of the deliveries lost in a second pass.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from exporter.demo.livekit_binary import ServerProgram
from exporter.demo.livekit_server import LiveKitServer, free_ports
from exporter.server_api import Server, ServerApi
from tests import patience
from tests.integration.exporters import Exporter, Start
from tests.integration.real_callers import KINDS, SHORT_BELOW_S, Span, Stage, Truth
from tests.integration.webhook_proxy import WebhookProxy

# A score of participants at once; beside other tests one of them may not be heard in time.
pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]

FAMILIES = {
    "voice_calls": ("agent_name", "ended_by", "region"),
    "voice_call_duration_seconds": ("agent_name",),
    "voice_caller_wait_seconds": ("agent_name",),
    "voice_callers_abandoned": ("agent_name",),
    "voice_short_calls": ("agent_name",),
    "voice_transfers": ("agent_name",),
    "voice_participant_disconnects": ("kind", "reason"),
    "voice_sip_calls": ("trunk", "status"),
}
WRONG_BY_ONE = 6
"""Series of one call that a lost event may change: without that of the caller's leaving another one
has ended the call, later, and nobody has left."""
Series = tuple[str, ...]


def figures(page: str) -> Counter[Series]:
    """Return every figure of real calls: the name of its series, then its labels."""
    return Counter(
        {
            (each.name, *(each.labels[label] for label in FAMILIES[family.name])): each.value
            for family in text_string_to_metric_families(page)
            if family.name in FAMILIES
            for each in family.samples
            if not each.name.endswith(("_bucket", "_created"))
        }
    )


def expected(truths: list[Truth]) -> dict[Series, Span]:
    """Return the bounds of every figure that is not 0."""
    found: dict[Series, Span] = {}
    for truth in truths:
        for series, span in truth.figures().items():
            found[series] = found.get(series, Span(0, 0)) + span
    return found


@dataclass(slots=True)
class Site:
    """An exporter that is killed and started again, and all that its processes have counted."""

    start: Start
    config: Path
    exporter: Exporter
    counted: Counter[Series] = field(default_factory=Counter)
    """By processes that were killed, when nothing was open."""
    closed: Counter[Series] = field(default_factory=Counter)
    """By this one, when nothing was open last."""

    async def kill(self) -> None:
        """Kill the exporter, and start it again."""
        self.exporter.process.send_signal(signal.SIGKILL)
        self.exporter.process.wait()
        self.counted.update(self.closed)
        self.closed.clear()
        self.exporter = await asyncio.to_thread(
            self.start, "exporter", "serve", "--config", str(self.config)
        )

    async def settle(self, calls: int) -> None:
        """Wait until so many calls were counted and none is open."""

        def settled() -> bool:
            self.closed = figures(self.exporter.get("/metrics").text)
            total = self.counted + self.closed
            done = sum(n for series, n in total.items() if series[0] == "voice_calls_total")
            return done >= calls

        await asyncio.to_thread(patience.until, settled, patience.WAIT_S, f"{calls} calls", 0.5)


async def one_round(server: Server, site: Site, number: int, copies: int) -> list[Truth]:
    """Have calls of each kind at once, and kill the exporter when all have begun."""
    under_way = asyncio.Event()
    begun = asyncio.Barrier(len(KINDS) * copies)

    async def all_in() -> None:
        if not under_way.is_set():
            await begun.wait()
            under_way.set()

    api = ServerApi(server, timeout_s=patience.WAIT_S)
    stages = [
        Stage(server, api, kind, f"{kind}-{number}-{copy}", all_in)
        for kind, copy in product(KINDS, range(copies))
    ]
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(api)
        for stage in stages:
            stack.push_async_callback(stage.aclose)
        group = await stack.enter_async_context(asyncio.TaskGroup())
        for stage in stages:
            await api.create_room(stage.room, empty_timeout_s=120)
        calls = [group.create_task(KINDS[stage.kind](stage)) for stage in stages]
        await under_way.wait()
        await site.kill()
    return [call.result() for call in calls]


@dataclass(frozen=True, slots=True)
class Plan:
    """How many calls, and how well their events are delivered."""

    rounds: int = 1
    copies: int = 1
    lost: float = 0.0

    def run(self, program: ServerProgram, folder: Path, start: Start) -> tuple[list[str], int]:
        """Have rounds of calls.

        Returns:
            The figures that are not the truth, and how many deliveries were lost.
        """
        return asyncio.run(self._run(program, folder, start))

    async def _run(
        self, program: ServerProgram, folder: Path, start: Start
    ) -> tuple[list[str], int]:
        async with AsyncExitStack() as stack:
            address = f"127.0.0.1:{free_ports().signal}"
            url = f"http://{address}/webhook/livekit"
            proxy = await stack.enter_async_context(WebhookProxy(url, self.lost))
            livekit = stack.enter_context(LiveKitServer(program, folder, webhooks=proxy.url))
            site = await _site(livekit.server, folder, address, start)
            truths: list[Truth] = []
            for number in range(self.rounds):
                truths += await one_round(livekit.server, site, number, self.copies)
                await patience.comes_true(lambda: proxy.idle)
                await site.settle(len(truths) - proxy.did["ends lost"])
            # A room that is closed later than its call was counted has told of it just now.
            await patience.comes_true(lambda: proxy.idle)
            assert proxy.did["replayed"]
            assert proxy.did["401"] == proxy.did["forged"] > 0, proxy.did
            return list(_wrong(site.counted + site.closed, expected(truths))), proxy.did["lost"]


def _wrong(found: Counter[Series], truth: dict[Series, Span]) -> Iterator[str]:
    for series in sorted(found.keys() | truth.keys()):
        bounds = truth.get(series, Span(0, 0))
        if not bounds.low <= found[series] <= bounds.high:
            yield f"{' '.join(series)}: {found[series]}, not {bounds.low:.2f} to {bounds.high:.2f}"


async def _site(server: Server, folder: Path, address: str, start: Start) -> Site:
    keys = {"url": server.url, "api_key": server.api_key, "api_secret": server.api_secret}
    config = folder / "exporter.yaml"
    sections = {
        "livekit": keys,
        "server_name": "lk",
        "web": {"listen_address": address},
        "calls": {"short_below": SHORT_BELOW_S},
    }
    config.write_text(yaml.safe_dump(sections))
    return Site(
        start, config, await asyncio.to_thread(start, "exporter", "serve", "--config", str(config))
    )


# unit/real_calls/test_calls.py has it of events that were made, test_preflight.py a real delivery.
@pytest.mark.long
def test_figures_are_the_truth_of_every_kind_of_call(
    livekit_program: ServerProgram, tmp_path: Path, start: Start
) -> None:
    """Replayed, reordered and forged deliveries, and kill -9 in the middle: nothing is wrong."""
    wrong, _ = Plan().run(livekit_program, tmp_path, start)
    assert not wrong


@pytest.mark.long
@pytest.mark.whole_machine
def test_figures_are_the_truth_of_two_hundred_calls(
    livekit_program: ServerProgram, tmp_path: Path, start: Start
) -> None:
    """The same with twenty calls of each kind, and ten kills."""
    wrong, _ = Plan(rounds=10, copies=2).run(livekit_program, tmp_path, start)
    assert not wrong


@pytest.mark.long
def test_a_lost_delivery_makes_few_figures_wrong(
    livekit_program: ServerProgram, tmp_path: Path, start: Start
) -> None:
    """A twentieth is lost. Result: of each, at most what it alone said is missing or elsewhere."""
    wrong, lost = Plan(rounds=3, lost=0.05).run(livekit_program, tmp_path, start)
    assert lost
    assert len(wrong) <= WRONG_BY_ONE * lost
