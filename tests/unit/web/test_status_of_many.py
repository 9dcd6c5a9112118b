"""The status page of a fleet: it is made beside the event loop, from a snapshot."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from exporter.daemon.pages import sources_of, status
from exporter.daemon.parts import Daemon
from exporter.daemon.plan import call_work
from exporter.outcome import CallResult, Components, Reason, Verdict
from exporter.probes.latency.spec import PROBE, LatencyConfig
from exporter.settings.settings import Settings
from exporter.store.records import RunRecord
from exporter.web.past import RUNS_KEPT, PastRun
from exporter.web.status import Viewer
from tests.unit.calls import call, replied
from tests.unit.web.asking import Site

AGENTS = 200
OF_LOOP_S = 0.060
"""Processor time of the event loop for the page of all: rendering takes a multiple of it."""
_SERVER = {"url": "ws://s", "api_key": "k", "api_secret": "a-secret-of-nobody"}


def fleet(agents: int) -> Daemon:
    """Return a daemon that has called so many agents for a day, and never begins."""
    settings = Settings.model_validate({"livekit": _SERVER})
    daemon = Daemon(settings, settings.server(), lambda: settings)
    turn = replace(replied(2.5), components=Components(llm_s=1.2, tts_s=0.2, end_of_turn_s=0.3))
    now = datetime.now(UTC)
    for number in range(agents):
        target = LatencyConfig(agent_name=f"agent{number}")
        daemon.works.add(call_work(target), 1e9)
        made = replace(call(), result=CallResult(target.agent_name, "default", "default", (turn,)))
        slow = PROBE.judged(target, replace(made, started_at=now, run_id="slow"))
        past = daemon.watch_list.lines[call_work(target).id].past
        earlier = replace(PastRun.of(RunRecord.of(slow)), at=now - timedelta(hours=1))
        past.runs.extend([replace(earlier, verdict=Verdict.PASS)] * RUNS_KEPT)
        daemon.watch_list.record(slow)
    return daemon


def test_the_page_of_many_agents_leaves_the_loop_alone() -> None:
    """The loop's thread copies what is known, and another one makes 450 kB of it."""
    daemon = fleet(AGENTS)
    site = Site(sources_of(daemon))

    async def story() -> tuple[str, float, float]:
        await site.request("GET", "/")
        of_loop, of_all = time.thread_time(), time.process_time()
        answer = await site.request("GET", "/")
        return answer.text, time.thread_time() - of_loop, time.process_time() - of_all

    page, of_loop_s, of_all_s = asyncio.run(story())
    assert page.count('class="tag SLOW"') >= AGENTS
    assert of_loop_s < OF_LOOP_S
    assert of_loop_s < of_all_s / 2


def test_a_page_shows_the_moment_in_which_it_was_asked_for() -> None:
    """What ends while it is made is on the next one."""
    daemon = fleet(1)
    make = status(daemon, Viewer())
    work = call_work(LatencyConfig(agent_name="agent0"))
    daemon.watch_list.lines[work.id].past.add(RunRecord.of(replace(call(), run_id="later")))
    daemon.works.remove(work)
    assert 'class="tag SLOW"' in make()
    assert "agent0" not in status(daemon, Viewer())()


def test_a_void_call_does_not_hide_the_one_before() -> None:
    """Its row leads to the last call that says something about the agent."""
    daemon = fleet(1)
    spoiled = call(reason=Reason.VOID, detail="the prober: its event loop was late")
    result = CallResult("agent0", "default", "default")
    daemon.watch_list.record(replace(spoiled, result=result, run_id="void"))
    page = status(daemon, Viewer())()
    assert "This says nothing about the agent." in page
    assert '<a href="./runs/slow">SLOW</a>, 2.50 s at ' in page
