"""A distributed ramp without a network: the session's mind, the clocks, the combination."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.distributed import session as session_module
from exporter.distributed.clock import Exchange, Offset
from exporter.distributed.combine import VantageTier, combined, combined_knee
from exporter.distributed.config import DistributedConfig
from exporter.distributed.coordinator import listen
from exporter.distributed.messages import Done, Plan, Registration, Sign
from exporter.distributed.session import (
    DistributedRamp,
    Patience,
    RefusedError,
    Session,
)
from exporter.errors import ConfigError
from exporter.probes.ramp.judge import JudgedTier, KneeKind
from exporter.probes.ramp.spec import RampConfig
from tests import virtual_time
from tests.unit.ramp.tiers import IDLE, judged, tier
from tests.virtual_time import Clock

TIMES = st.floats(0, 1e6)
DELAYS = st.floats(0.0001, 5)


@given(TIMES, TIMES, st.lists(st.tuples(DELAYS, DELAYS), min_size=1, max_size=10))
def test_offset_is_off_by_half_a_round_trip_at_most(
    ours: float, ahead: float, ways: list[tuple[float, float]]
) -> None:
    """However long the ways are and however uneven, half of the shortest is the largest error."""
    exchanges = [Exchange(ours, ours + out + ahead, ours + out + back) for out, back in ways]
    offset = Offset.of(exchanges)
    most = min(each.round_trip_s for each in exchanges) / 2 + 1e-6
    assert abs(offset.seconds - ahead) <= most
    assert abs(offset.ours(ours + ahead) - ours) <= most


def seen(vantage: str, clients: int, rtt_ms: float = 10, **changes: Any) -> VantageTier:
    """A tier as one vantage saw it."""
    found = tier(clients, rtt_ms)
    if changes:
        found = replace(found, load=(replace(IDLE, **changes),))
    return VantageTier(vantage, judged(found))


def test_combination() -> None:
    """Clients add up; the rest is the worst that any vantage saw, and is told by whom."""
    found = combined([seen("iad", 25, 20), seen("lhr", 25, 120), seen("sjc", 25, 15, lag_s=0.5)])
    assert (found.vantages, found.tier.clients) == (3, 75)
    assert found.tier.summary.rtt_p95_s == 0.12
    assert found.tier.broken == ("lhr: p95 of the round trip 120.0 ms is above 100 ms",)
    assert found.tier.limits == ("sjc: its event loop was 500 ms late (p99)",)


def test_combined_knee() -> None:
    """In clients of all together; where lost vantages shrank the load there is no answer."""
    tiers = [
        combined([seen(each, clients, rtt) for each in ("a", "b", "c")])
        for clients, rtt in ((10, 14), (25, 22), (50, 155))
    ]
    assert combined_knee(tiers, complete=True).clients == 75
    alone = [tiers[0], combined([seen("a", 25, 155)])]
    assert combined_knee(alone, complete=True).kind is KneeKind.UNKNOWN


def test_a_port_that_everybody_could_use_needs_a_token() -> None:
    """Beyond loopback the coordinator does not listen without one."""
    with pytest.raises(ConfigError, match="expected a token"):
        listen(DistributedConfig(address="0.0.0.0", port=0))  # noqa: S104 - the refusal is tested
    listen(DistributedConfig(port=0)).close()
    with pytest.raises(ConfigError, match="expected a free address"):
        listen(DistributedConfig(address="192.0.2.1", port=1, token="t"))  # noqa: S106


CONFIG = RampConfig(tiers=(2, 4), duration=1)
QUICK = Patience(gather_s=1.0, silent_s=0.5, grow_s=2.0, late_s=2.0)
Vantage = Callable[[Session, str], Awaitable[None]]


async def well(session: Session, name: str) -> None:
    """A vantage that does what it is told."""
    await take_part(session, name, lambda clients: judged(tier(clients)))


async def register(session: Session, name: str) -> Plan:
    """Register under a name, for the first time."""
    return await session.register(Registration(vantage=name, attempt=secrets.token_hex(8)))


async def take_part(
    session: Session, name: str, measure: Callable[[int], JudgedTier | None]
) -> None:
    """Do every step, with these tiers, until told to stop; one that is None ends it in silence."""
    member = (await register(session, name)).member
    signs = asyncio.create_task(give_signs(session, member))
    number = 0
    while (step := await session.step_after(member, number, 5.0)) is not None:
        number = step.number
        found = measure(step.clients) if step.kind == "hold" else None
        if step.kind == "stop" or (step.kind == "hold" and found is None):
            break
        await session.done(member, Done(number=number, tier=found))
    signs.cancel()


async def give_signs(session: Session, member: str) -> None:
    """Be alive."""
    while True:
        await session.sign(member, Sign())
        await asyncio.sleep(0.05)


async def dies_in_the_second(session: Session, name: str) -> None:
    """A vantage that is never heard of again while it holds the second tier."""
    await take_part(session, name, lambda clients: judged(tier(clients)) if clients == 2 else None)


async def breaks(session: Session, name: str) -> None:
    """A vantage that sees a broken target at once."""
    await take_part(session, name, lambda clients: judged(tier(clients, 900)))


async def gives_up(session: Session, name: str) -> None:
    """A vantage that says that it cannot."""
    member = (await register(session, name)).member
    step = await session.step_after(member, 0, 5.0)
    assert step is not None
    await session.done(member, Done(number=step.number, error="no rooms"))


@pytest.fixture(autouse=True)
def _no_countdown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody in these tests needs time to get ready."""
    monkeypatch.setattr(session_module, "COUNTDOWN_S", 0.0)


def lead(expect: int, **vantages: Vantage) -> tuple[Session, DistributedRamp]:
    """Let these vantages take part in one session."""

    async def everybody(clock: Clock) -> tuple[Session, DistributedRamp]:
        session = Session(CONFIG, expect, patience=QUICK, clock=clock)
        taking_part = [asyncio.ensure_future(do(session, name)) for name, do in vantages.items()]
        found = await session.run()
        await asyncio.gather(*taking_part)
        return session, found

    return virtual_time.run(everybody)


def test_all_tiers() -> None:
    """Everybody does every tier at the same time; the sum is told."""
    _, found = lead(2, iad=well, lhr=well)
    assert [(each.tier.clients, each.vantages) for each in found.tiers] == [(4, 2), (8, 2)]
    assert [(each.vantage, len(each.tiers), each.lost) for each in found.vantages] == [
        ("iad", 2, ""),
        ("lhr", 2, ""),
    ]
    assert (found.complete, found.missing) == (True, 0)


def test_a_vantage_that_dies() -> None:
    """It is given up with a reason, what it has reported stays, the rest goes on."""
    _, found = lead(2, iad=well, lhr=dies_in_the_second)
    assert [(each.tier.clients, each.vantages) for each in found.tiers] == [(4, 2), (4, 1)]
    lost = {each.vantage: (len(each.tiers), each.lost) for each in found.vantages}
    assert lost["iad"] == (2, "")
    assert lost["lhr"][0] == 1
    assert "no report for" in lost["lhr"][1]


def test_a_vantage_that_cannot() -> None:
    """Its own word is the reason."""
    _, found = lead(2, iad=well, lhr=gives_up)
    assert [each.lost for each in found.vantages] == ["", "no rooms"]
    assert [each.vantages for each in found.tiers] == [1, 1]


def test_one_broken_target_ends_it_for_all() -> None:
    """More load would only hurt."""
    _, found = lead(2, iad=well, lhr=breaks)
    assert len(found.tiers) == 1
    assert found.complete


def test_who_never_came_is_missing() -> None:
    """After the time for it the others begin; with nobody there is no ramp."""
    _, found = lead(3, iad=well)
    assert (found.missing, len(found.tiers)) == (2, 2)
    _, nobody = lead(1)
    assert (nobody.missing, nobody.tiers, nobody.complete) == (1, (), False)


def test_refusals() -> None:
    """Names are unique, the number is as expected, strangers and latecomers are told so."""

    async def refusals(clock: Clock) -> list[str]:
        session = Session(CONFIG, 2, patience=QUICK, clock=clock)
        plan = await register(session, "iad")
        words = []
        for attempt in (
            lambda: register(session, "iad"),
            lambda: session.step_after("nobody", 0, 0.1),
            lambda: session.done(plan.member, Done(number=7)),
        ):
            with pytest.raises(RefusedError) as refused:
                await attempt()
            words.append(str(refused.value))
        await register(session, "lhr")
        with pytest.raises(RefusedError) as refused:
            await register(session, "sjc")
        return [*words, str(refused.value)]

    assert virtual_time.run(refusals) == [
        "the vantage iad is already registered; use a different name",
        "unknown vantage; register first",
        "step 7 is over; the current step is 0",
        "all 2 vantages are already registered",
    ]


def test_what_is_said_again_changes_nothing() -> None:
    """An answer was lost, and the step is over by then: the vantage is not given up for that."""

    async def repeat(clock: Clock) -> DistributedRamp:
        session = Session(CONFIG, 1, patience=QUICK, clock=clock)
        running = asyncio.create_task(session.run())
        registration = Registration(vantage="iad", attempt=secrets.token_hex(8))
        member = (await session.register(registration)).member
        assert (await session.register(registration)).member == member
        signs = asyncio.create_task(give_signs(session, member))
        number = 0
        while (step := await session.step_after(member, number, 5.0)) and step.kind != "stop":
            held = judged(tier(step.clients)) if step.kind == "hold" else None
            done = Done(number=step.number, tier=held)
            await session.done(member, done)
            assert await session.step_after(member, step.number, 5.0) is not None
            await session.done(member, done)
            number = step.number
        signs.cancel()
        return await running

    found = virtual_time.run(repeat)
    assert [(each.vantage, len(each.tiers), each.lost) for each in found.vantages] == [
        ("iad", 2, "")
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"quality": "splendid"}, "it reported an unknown connection quality"),
        ({"clients": 9}, "it reported 9 clients; expected 2"),
        ({"connected": 3}, "it reported 3 of 2 clients as connected"),
    ],
)
def test_figures_that_cannot_be(changes: dict[str, Any], why: str) -> None:
    """Who reports them is given up; the others are not combined with them, and go on."""

    async def errs(session: Session, name: str) -> None:
        def measure(clients: int) -> JudgedTier:
            found = judged(tier(clients))
            return replace(found, summary=replace(found.summary, **changes))

        with pytest.raises(RefusedError):
            await take_part(session, name, measure)

    _, found = lead(2, iad=well, lhr=errs)
    assert [each.lost for each in found.vantages] == ["", why]
    assert [each.vantages for each in found.tiers] == [1, 1]


@pytest.mark.parametrize("figure", ["NaN", "Infinity", "1e999"])
def test_figures_are_numbers(figure: str) -> None:
    """What is none would spoil every comparison, and no document can hold it."""
    with pytest.raises(ValueError, match="finite"):
        Sign.model_validate_json(f'{{"round_trip_s": {figure}}}')


def test_who_leaves_between_two_steps_is_given_up_at_once() -> None:
    """A vantage that was interrupted names the last step that it did; that one may be over."""

    async def leave(clock: Clock) -> str:
        session = Session(CONFIG, 1, patience=QUICK, clock=clock)
        running = asyncio.create_task(session.run())
        member = (await register(session, "iad")).member
        assert await session.step_after(member, 0, 5.0) is not None
        await session.done(member, Done(number=0, error="interrupted"))
        return (await running).vantages[0].lost

    assert virtual_time.run(leave) == "interrupted"


def test_a_sign_of_life_is_told_that_the_ramp_is_over() -> None:
    """A vantage in the middle of a tier asks for no step: the answer to its sign ends it."""

    async def interrupt(clock: Clock) -> list[bool]:
        session = Session(CONFIG, 1, patience=QUICK, clock=clock)
        running = asyncio.create_task(session.run())
        member = (await register(session, "iad")).member
        assert await session.step_after(member, 0, 5.0) is not None
        told = [(await session.sign(member, Sign())).over]
        running.cancel()
        await asyncio.sleep(0)
        told.append((await session.sign(member, Sign())).over)
        await asyncio.wait((running,), timeout=1.0)
        assert running.cancelled()
        return told

    assert virtual_time.run(interrupt) == [False, True]
