"""The production checklist: what each figure means, and that nothing unknown passes."""

import asyncio
import json
import time
from contextlib import aclosing, suppress
from datetime import UTC, datetime, timedelta

import pytest

from exporter.cli import main
from exporter.errors import ProbeError
from exporter.outcome import (
    CallerToken,
    Certificate,
    Reason,
    TokenDanger,
    TokenFailure,
    Transport,
    Verdict,
)
from exporter.probe import Run
from exporter.probes.latency.way_in.config import TokenConfig
from exporter.probes.latency.way_in.fetch import Fetched, TokenError
from exporter.probes.preflight import measure
from exporter.probes.preflight.measure import Preflight
from exporter.probes.preflight.spec import (
    CHECKS,
    PROBE,
    Checked,
    Checklist,
    PreflightConfig,
    TokenEndpoint,
)
from exporter.probes.preflight.verdicts import (
    UdpPorts,
    judge_addresses,
    judge_bandwidth,
    judge_certificates,
    judge_clock,
    judge_round_trips,
    judge_secret,
    judge_udp,
    judge_way,
)
from exporter.probes.preflight.webhook import OfExporter, awaiting
from exporter.probes.reach.spec import ReachConfig
from exporter.report.preflight import PreflightDocument, print_checklist
from exporter.report.printing import to_json
from exporter.roster.collector import CollectorConfig
from exporter.server_api import Server, ServerApi
from tests import virtual_time
from tests.fake_call.api import SERVER
from tests.virtual_time import Clock

REACH = ReachConfig()
WORKS = Transport("tcp", True, ("192.0.2.9:7881",), seconds=0.5)
BLOCKED = Transport("tcp", False, ("192.0.2.9:7881",), "media uses UDP")


def run() -> Run:
    """Return a run that has a minute."""
    return Run("r1", SERVER, time.monotonic() + 60)


@pytest.mark.parametrize(
    ("key", "secret", "verdict"),
    [
        ("devkey", "secret", Verdict.FAIL),
        ("k", "s" * 31, Verdict.FAIL),
        ("k", "s" * 32, Verdict.PASS),
    ],
)
def test_secret(key: str, secret: str, verdict: Verdict) -> None:
    """At least 32 characters, and not that of the server's development mode; it is not repeated."""
    found = judge_secret(key, secret)
    assert (found.verdict, bool(found.todo)) == (verdict, verdict is Verdict.FAIL)
    assert "sss" not in found.measured


def test_udp_ports_of_a_range() -> None:
    """What was tried bounds what can be shut; a port that failed is named."""
    ports = tuple(f"192.0.2.9:{50000 + each}" for each in range(6))
    good = judge_udp(UdpPorts(ports, (), ports), any_way=True)
    assert (good.verdict, good.n) == (Verdict.PASS, 6)
    assert "at most 50% of the range can be shut" in good.measured
    one = judge_udp(UdpPorts(ports[:1] * 6, (), ports[:1]), any_way=True)
    assert one.measured == "6 of 6 participants, all at 192.0.2.9:50000"
    partly = UdpPorts(ports[:5], ("media uses TCP",), ports)
    shut = judge_udp(partly, any_way=True)
    assert (shut.verdict, shut.n) == (Verdict.SLOW, 6)
    assert shut.todo.startswith("open UDP to 192.0.2.9:50005 (")
    assert judge_udp(partly, any_way=False).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("way", "any_way", "verdict"),
    [
        (WORKS, True, Verdict.PASS),
        (BLOCKED, True, Verdict.SLOW),
        (BLOCKED, False, Verdict.FAIL),
        (None, True, Verdict.SLOW),
    ],
)
def test_fallbacks(way: Transport | None, any_way: bool, verdict: Verdict) -> None:
    """A way that does not work, or is not offered, never passes, and says what to open or set."""
    found = judge_way("tcp", way, any_way=any_way)
    assert found.verdict is verdict
    assert bool(found.todo) == (verdict is not Verdict.PASS)


def test_round_trips() -> None:
    """None measured is UNKNOWN; else the median against the target, with its n."""
    assert judge_round_trips("round_trip_tcp", [], 0.05).verdict is Verdict.UNKNOWN
    found = judge_round_trips("round_trip_tcp", [0.01, 0.02, 0.4], 0.05)
    assert (found.verdict, found.n) == (Verdict.PASS, 3)
    assert judge_round_trips("round_trip_tcp", [0.1], 0.05).verdict is Verdict.SLOW


@pytest.mark.parametrize(
    ("skew_s", "verdict"),
    [
        (None, Verdict.UNKNOWN),
        (0.0, Verdict.PASS),
        (-11.0, Verdict.SLOW),
        (90.0, Verdict.FAIL),
        (-90.0, Verdict.FAIL),
    ],
)
def test_clock(skew_s: float | None, verdict: Verdict) -> None:
    """Beyond a minute the server refuses tokens; a clock that no answer told does not pass."""
    assert judge_clock(REACH, skew_s).verdict is verdict


def test_certificates() -> None:
    """None is SLOW, the worst of several counts."""
    assert judge_certificates(REACH, ()).verdict is Verdict.SLOW
    good = Certificate("h:443", datetime.now(UTC) + timedelta(days=60))
    bad = Certificate("h:5349", fault="certificate has expired")
    assert judge_certificates(REACH, (good,)).verdict is Verdict.PASS
    assert judge_certificates(REACH, (good, bad)).verdict is Verdict.FAIL


@pytest.mark.parametrize(
    ("resolved", "offered", "verdict"),
    [
        ("8.8.8.8", ("10.0.0.5:7882",), Verdict.FAIL),
        ("8.8.8.8", ("10.0.0.5:7882", "8.8.4.4:7882"), Verdict.PASS),
        ("8.8.8.8", ("[2001:4860:4860::8888]:7882",), Verdict.PASS),
        ("10.0.0.5", ("10.0.0.5:7882",), Verdict.PASS),
        ("8.8.8.8", (), Verdict.UNKNOWN),
    ],
)
def test_private_address(resolved: str, offered: tuple[str, ...], verdict: Verdict) -> None:
    """A public URL whose server advertises only private addresses: media from elsewhere fail."""
    assert judge_addresses("lk.test", [resolved], offered).verdict is verdict


def test_bandwidth() -> None:
    """Up to one packet in a hundred may be lost; where none came nothing was counted."""
    assert judge_bandwidth(90, 0, 0, 0).verdict is Verdict.UNKNOWN
    assert judge_bandwidth(90, 90, 1, 150).verdict is Verdict.PASS
    assert judge_bandwidth(90, 90, 2, 150).verdict is Verdict.SLOW


def test_a_check_that_cannot_be_done_is_unknown_with_its_reason() -> None:
    """It fails, takes too long, or was not reached; none of that passes."""

    async def fails() -> Checked:
        raise ProbeError(Reason.API_FAILED, "HTTP 500")

    async def hangs() -> Checked:
        await asyncio.Event().wait()
        raise AssertionError

    async def take(_clock: Clock) -> Checklist:
        work = Preflight(PreflightConfig(skip=frozenset({"tcp"})), run())
        await work._once("rights", fails())
        await work._once("expired", hangs())
        return work.checklist("no signal")

    found = {each.check: each for each in virtual_time.run(take).items}
    assert {each.verdict for each in found.values()} == {Verdict.UNKNOWN}
    assert found["rights"].measured == "HTTP 500"
    assert found["expired"].measured == "not finished within 16 s"
    assert found["bandwidth"].measured == "no signal"
    assert [*found] == [each for each in CHECKS if each not in ("tcp", "token_endpoint")]


@pytest.mark.parametrize(
    ("answers", "verdict"),
    [
        ((3.0, 3.0, 4.0), Verdict.PASS),
        ((3.0, 3.0), Verdict.FAIL),
        ((None,), Verdict.UNKNOWN),
    ],
)
def test_webhooks_at_an_exporter(answers: tuple[float | None, ...], verdict: Verdict) -> None:
    """It counts rooms that started: one more than before, the same, or nothing that can be read."""

    class Told(OfExporter):
        async def _started(self) -> float | None:
            return left.pop(0) if len(left) > 1 else left[0]

    async def seen(clock: Clock) -> Checked:
        async with aclosing(Told(CollectorConfig(url="http://exporter.test"), clock)) as asked:
            await asked.begin()
            return await asked.seen("room", clock())

    left = list(answers)
    assert virtual_time.run(seen).verdict is verdict


def test_token_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each target's is asked: dangerous claims are SLOW, none at all is FAIL, ours UNKNOWN."""

    async def give(config: TokenConfig, *_: object, **__: object) -> Fetched:
        if config.body == "ours":
            raise TokenError(TokenFailure.HEADERS_FILE, "headers_file h cannot be used any more")
        if config.method == "GET":
            raise TokenError(TokenFailure.REFUSED, "app.test answered HTTP 401")
        dangers = (TokenDanger.NO_ROOM,) if config.body else ()
        return Fetched(CallerToken(0.2, dangers), "room", "ann", True, "token", "")

    monkeypatch.setattr(measure, "fetch_token", give)

    def asked(*configs: TokenConfig) -> Checked:
        endpoints = tuple(TokenEndpoint(name="demo", token=each) for each in configs)
        return asyncio.run(Preflight(PreflightConfig(endpoints=endpoints), run())._endpoints())

    good, risky, shut = (
        TokenConfig(url="https://app.test", **more)
        for more in ({}, {"body": "x"}, {"method": "GET"})
    )
    assert asked(good).measured == "demo: token fetched in 0.200 s"
    found = asked(good, risky)
    assert (found.verdict, found.n) == (Verdict.SLOW, 2)
    assert "no_room" in found.measured
    assert asked(risky, shut).verdict is Verdict.FAIL
    ours = TokenConfig(url="https://app.test", body="ours")
    assert asked(good, ours).verdict is Verdict.UNKNOWN
    assert asked(good, ours).todo == "mend headers_file of the target"


def test_no_server() -> None:
    """One check fails; those that need the server are UNKNOWN, with the reason."""
    nowhere = Run("r1", Server("ws://127.0.0.1:1", "k", "s" * 32), time.monotonic() + 60)
    outcome = asyncio.run(measure.measure_preflight(PreflightConfig(), nowhere))
    assert isinstance(outcome.result, Checklist)
    items = {each.check: each for each in outcome.result.items}
    known = {check: item.verdict for check, item in items.items() if item.n}
    assert known == {"signal": Verdict.FAIL, "secret": Verdict.PASS}
    assert items["udp_ports"].verdict is Verdict.UNKNOWN
    assert items["udp_ports"].measured == items["signal"].measured
    assert PROBE.judged(PreflightConfig(), outcome).verdict is Verdict.FAIL


def test_a_request_that_the_prober_spoiled_says_nothing_of_the_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first of them, one of the rights, or a join: UNKNOWN, with whose fault it is."""

    async def spoiled(*_: object, **__: object) -> None:
        raise ProbeError(Reason.VOID, "the prober: it stood still")

    async def take(check: str) -> Checked:
        work = Preflight(PreflightConfig(), run())
        with suppress(ProbeError):
            await {"no server": work.take, "join": work._signal}[check]()
        found = {each.check: each for each in work.checklist("").items}
        return found["signal"]

    async def rights() -> Checked:
        work = Preflight(PreflightConfig(), run())
        async with ServerApi(SERVER) as api:
            await work._once("rights", work._rights(api))
        return next(each for each in work.checklist("").items if each.check == "rights")

    monkeypatch.setattr(ServerApi, "list_rooms", spoiled)
    monkeypatch.setattr(measure, "join_and_leave", spoiled)
    for found in (*map(asyncio.run, (take("no server"), take("join"))), asyncio.run(rights())):
        assert (found.verdict, found.measured) == (Verdict.UNKNOWN, "the prober: it stood still")


def test_document_and_text(capsys: pytest.CaptureFixture[str]) -> None:
    """Both have the verdict of each check, its figure and n, what to do, and what is not seen."""
    items = (judge_secret("devkey", "secret"), Checked("clock", Verdict.PASS, "0 s", 1))
    outcome = PROBE.judged(PreflightConfig(), run().outcome("preflight", result=Checklist(items)))
    document = PreflightDocument.of("here", outcome)
    told = json.loads(to_json(document))
    assert (told["verdict"], told["preflight"][1]["n"]) == ("FAIL", 1)
    assert told["preflight"][0]["todo"]
    assert told["unseen"]
    print_checklist(document)
    out = capsys.readouterr().out
    for words in ("secret", "generate-keys", "not seen from here:", "VERDICT: FAIL"):
        assert words in out
    assert PROBE.text(outcome) == "1 of 2 checks passed"


def test_webhook_that_nobody_can_see() -> None:
    """Without a listener, with one that cannot listen, and with an exporter that is away."""

    async def seen(listen: str, url: str | None) -> Checked:
        async with awaiting(SERVER, listen, CollectorConfig(url=url)) as awaits:
            return await awaits.seen("room", time.monotonic())

    for listen, url, words in (
        ("", None, "not seen from here"),
        ("192.0.2.1:1", None, "cannot listen at 192.0.2.1:1"),
        ("", "http://127.0.0.1:1", "cannot be read"),
    ):
        found = asyncio.run(seen(listen, url))
        assert found.verdict is Verdict.UNKNOWN
        assert words in found.measured


@pytest.mark.parametrize(
    ("flag", "value", "words"),
    [
        ("--skip", "udp,clock", '"udp" is no check; expected of signal, udp_ports'),
        ("--webhook-listen", "9466", '"9466" is no address; expected HOST:PORT'),
    ],
)
def test_impossible_flags(
    flag: str, value: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, and exit status 2; nothing is asked."""
    server = Server("ws://127.0.0.1:1", "k", "s" * 32)
    where = ["--url", server.url, "--api-key", "k", "--api-secret", "s" * 32]
    assert main(["preflight", flag, value, *where]) == 2
    assert f"voice-exporter: {flag}: {words}" in capsys.readouterr().err
