"""/probe: one call now, in time, with the series of that call alone."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families as parse

from exporter.daemon.plan import call_work
from exporter.outcome import Outcome, Reason, Turn
from exporter.probes.latency.spec import LatencyConfig
from exporter.web.probe_page import OFFSET_S, time_limit
from exporter.web.sources import NotNowError
from exporter.web.watched import find_target, target_name
from tests import virtual_time
from tests.unit.calls import call, failed, replied
from tests.unit.web.asking import Site, sources

FAILURE = (
    "agent_name={},call_type=default,probe=latency,reason={},scenario=default,server=sfu,"
    "vantage=default"
)
DEMO = LatencyConfig(agent_name="demo")
SALES = LatencyConfig(agent_name="sales", trials=1)
SALES_BUSY = LatencyConfig(agent_name="sales", scenario="busy")
GOOD = replace(call(replied(0.7)), run_id="00ff", log=("   0.010 entered the room",))


class FakeCaller:
    """Returns an outcome, at once or never."""

    def __init__(self, outcome: Outcome | None = GOOD, refusal: NotNowError | None = None) -> None:
        self.outcome = outcome
        self.refusal = refusal
        self.targets: list[LatencyConfig] = []
        self.cancelled = 0
        self.calling = asyncio.Event()

    async def __call__(self, target: LatencyConfig, on_turn: Callable[[Turn], None]) -> Outcome:
        """Call nobody."""
        self.targets.append(target)
        self.calling.set()
        if self.refusal is not None:
            raise self.refusal
        if self.outcome is None:
            on_turn(replied(0.4, warmup=True))
            try:
                await asyncio.sleep(3600)
            finally:
                self.cancelled += 1
        assert self.outcome
        return self.outcome


def site(caller: FakeCaller) -> Site:
    """Return a site with three targets."""
    return Site(sources(targets=lambda: (DEMO, SALES, SALES_BUSY), call=caller))


def values(page: str, name: str) -> dict[str, float]:
    """Return the samples of a name by their labels."""
    return {
        ",".join(f"{key}={text}" for key, text in sorted(sample.labels.items())): sample.value
        for family in parse(page)
        for sample in family.samples
        if sample.name == name
    }


def test_the_page_has_the_series_of_this_call_only() -> None:
    """Its turn is counted once, whatever was called before; nothing of others is there."""
    caller = FakeCaller()
    asked = site(caller)
    for _ in range(2):
        page = asked.ask("GET", "/probe?target=demo").text
        assert values(page, "voice_probe_success") == {
            "agent_name=demo,probe=latency,server=sfu": 1
        }
        assert set(values(page, "voice_e2e_latency_seconds_count").values()) == {1}
        assert "build_info" not in page
        assert "voice_rooms" not in page
        assert 'probe="agents"' not in page
        assert "process_" not in page


def test_a_failed_call_is_an_answer_with_its_reason() -> None:
    """The page is 200: that the call failed is what it tells."""
    answer = site(FakeCaller(call(failed(), reason=Reason.NO_REPLY))).ask(
        "GET", "/probe?target=demo"
    )

    assert answer.status_code == 200
    assert set(values(answer.text, "voice_probe_success").values()) == {0}
    failures = values(answer.text, "voice_probe_failures_total")
    assert failures[FAILURE.format("demo", "no_reply")] == 1


@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("demo", DEMO),
        ("demo/default/default", DEMO),
        ("sales/default/default", SALES),
        ("sales/default/busy", SALES_BUSY),
    ],
)
def test_targets_have_names(name: str, target: LatencyConfig) -> None:
    """The agent's name is enough where only one target has it; the full name always is."""
    caller = FakeCaller()
    assert site(caller).ask("GET", "/probe", params={"target": name}).status_code == 200
    assert [each.key for each in caller.targets] == [target.key]


@pytest.mark.parametrize("name", ["sales", "other", "", "demo/", "latency/demo/default/default"])
def test_other_names_are_not_found(name: str) -> None:
    """An ambiguous name is none; the answer names what was asked for and makes no call."""
    caller = FakeCaller()
    answer = site(caller).ask("GET", "/probe", params={"target": name})
    assert (answer.status_code, caller.targets) == (404, [])
    assert answer.text == f"no target {name!r} is configured\n"


def test_a_slash_within_a_name_makes_no_other_target() -> None:
    """Targets a/b + c and a + b/c are two, each with an id, a place and a name of its own."""
    targets = (
        LatencyConfig(agent_name="a/b", call_type="c"),
        LatencyConfig(agent_name="a", call_type="b/c"),
        LatencyConfig(agent_name="a/default/default"),
        LatencyConfig(agent_name="a"),
        LatencyConfig(agent_name="a%2Fb", call_type="c"),
    )
    assert len({call_work(target).id for target in targets}) == len(targets)
    names = [target_name(target, targets) for target in targets]
    assert names[0] == "a/b"
    assert [find_target(targets, name) for name in names] == list(targets)


def test_a_call_that_does_not_fit_is_cut_off() -> None:
    """1. Prometheus has 1 s. 2. The call takes longer. Result: in time, failed with `deadline`."""
    caller = FakeCaller(None)
    headers = {"X-Prometheus-Scrape-Timeout-Seconds": "0.9"}

    async def answered(clock: virtual_time.Clock) -> tuple[str, float]:
        began = clock()
        path = "/probe?target=sales/default/default"
        answer = await site(caller).request("GET", path, headers=headers)
        return answer.text, clock() - began

    text, took_s = virtual_time.run(answered)

    assert took_s < 0.9
    assert caller.cancelled == 1
    failures = values(text, "voice_probe_failures_total")
    assert failures[FAILURE.format("sales", "deadline")] == 1
    assert caller.targets[0].deadline < 0.9 - OFFSET_S


@pytest.mark.parametrize(
    ("header", "limit_s"),
    [("10", 9.5), ("0.2", 0.1), ("", 180), ("soon", 180), ("nan", 180), ("-1", 180), ("1e9", 180)],
)
def test_time_limit(header: str, limit_s: float) -> None:
    """The scrape's timeout less what the answer needs; never more than the call's own deadline."""
    assert time_limit(header, 180) == pytest.approx(limit_s)


def test_one_call_at_a_time() -> None:
    """1. A probe is under way. 2. Ask for the same. Result: 429 says when to come again."""
    caller = FakeCaller(None)
    asked = site(caller)

    async def both(_: virtual_time.Clock) -> tuple[int, str, str]:
        first = asyncio.create_task(asked.request("GET", "/probe?target=demo"))
        await caller.calling.wait()
        second = await asked.request("GET", "/probe?target=demo")
        await first
        return second.status_code, second.headers["retry-after"], second.text

    assert virtual_time.run(both) == (429, "252", "a call to 'demo' is in progress\n")
    assert len(caller.targets) == 1
    caller.outcome = GOOD
    assert asked.ask("GET", "/probe?target=demo").status_code == 200


def test_what_forbids_a_call_is_told() -> None:
    """A schedule's call, a budget or a window: 429 with the reason, and when to come again."""
    refusal = NotNowError("its budget for today is spent", 59.2)
    answer = site(FakeCaller(refusal=refusal)).ask("GET", "/probe?target=demo")
    assert (answer.status_code, answer.text) == (429, "its budget for today is spent\n")
    assert answer.headers["retry-after"] == "60"


def test_debug_shows_the_log() -> None:
    """For people: the run's own lines, how it ended, then what Prometheus would get."""
    text = site(FakeCaller()).ask("GET", "/probe?target=demo&debug=true").text
    log, _, metrics = text.partition("Metrics of this run:\n")
    assert log.startswith("Log of run 00ff")
    assert "   0.010 entered the room\n" in log
    assert "The run succeeded; it took 12.500 s" in log
    assert set(values(metrics, "voice_probe_success").values()) == {1}


def test_debug_tells_why_it_failed() -> None:
    """Reason and detail stand above the metrics."""
    caller = FakeCaller(call(reason=Reason.NO_WORKER, detail="nobody took it"))
    text = site(caller).ask("GET", "/probe?target=demo&debug=true").text
    assert "The run failed, no_worker: nobody took it; it took 12.500 s" in text
