"""One exporter at a time runs a work, whatever dies, is cut off, or is slow."""

import pytest

from exporter.fleet.leases import LONGEST_S, SHORTEST_S, STEP_S, Share, lease_s
from tests.fake_leases import LONGEST_INTERVAL_S, FakeGroup, Member, done

INTERVAL_S = 60.0
SIX = tuple(Share(f"w{place}", INTERVAL_S, 100) for place in range(6))
STEP = STEP_S + 0.001
SETTLED_S = 10.0


def settled(*paces: float, shares: tuple[Share, ...] = SIX) -> FakeGroup:
    """Return a group that has shared its works."""
    group = FakeGroup(shares, *(paces or (1.0, 1.0, 1.0)))
    group.run(SETTLED_S)
    return group


def test_works_are_shared_evenly() -> None:
    """Three exporters that start together have two works each, and each work has one holder."""
    group = settled()
    assert group.counts() == [2, 2, 2]
    assert all(not member.losses for member in group.members)


def test_works_are_shared_by_load() -> None:
    """One that is as heavy as the others together has an exporter of its own."""
    shares = (Share("heavy", INTERVAL_S, 300), *(Share(f"l{n}", INTERVAL_S, 100) for n in range(3)))
    group = settled(1.0, 1.0, shares=shares)
    assert sorted(group.counts()) == [1, 3]


@pytest.mark.parametrize("interval_s", [10.0, 60.0, 300.0])
def test_a_dead_holder_is_replaced_within_an_interval(interval_s: float) -> None:
    """So that its works are due again within two."""
    shares = tuple(Share(f"w{place}", interval_s, 100) for place in range(6))
    group = settled(shares=shares)
    dead = group.members.pop(0)
    works = dead.leases.held
    group.run(lease_s(interval_s) + 2 * STEP_S)
    assert all(group.holders(work) for work in works)
    assert lease_s(interval_s) + 2 * STEP_S <= interval_s + 10


def test_what_is_taken_over_knows_of_the_last_run() -> None:
    """It is due an interval after the run before it, of whichever exporter that was."""
    group = settled()
    dead = group.members.pop(0)
    work = min(dead.leases.held)
    assert done(dead.leases.may_begin(work))
    began = group.now
    group.run(30)
    (heir,) = group.holders(work)
    ((_, fence, since_s),) = [gain for gain in heir.gains if gain[0] == work]
    assert since_s is not None
    assert 0 < since_s <= group.now - began
    assert group.fences[work][-1] == fence > group.fences[work][0]


def test_one_that_joins_gets_its_share_and_running_calls_stay() -> None:
    """Only what is not under way is handed over, and no more than is fair."""
    group = settled(1.0)
    (first,) = group.members
    first.busy |= {"w0", "w1", "w2", "w3"}
    group.members.append(Member(group, "new"))
    group.run(SETTLED_S)
    assert group.counts() == [4, 2]
    first.busy.clear()
    group.run(SETTLED_S)
    assert group.counts() == [3, 3]
    assert {reason for _, reason in first.losses} == {"handed_over"}


def test_a_clean_stop_hands_over_at_once() -> None:
    """No lease has to expire."""
    group = settled()
    gone = group.members.pop(0)
    done(gone.leases.leave())
    group.run(STEP)
    assert sum(group.counts()) == 6
    assert not gone.leases.held


def test_one_that_is_cut_off_stops_before_another_begins() -> None:
    """It goes on until its lease ends by its own clock, then it says so."""
    group = settled()
    cut = group.members[0]
    works = cut.leases.held
    cut.link.is_up = False
    group.run(4)
    assert cut.leases.held == works
    assert cut.leases.problem
    group.run(lease_s(INTERVAL_S) + STEP)
    assert not cut.leases.held
    assert {reason for _, reason in cut.losses} == {"expired"}
    assert all(group.holders(work) for work in works)
    cut.link.is_up = True
    group.run(SETTLED_S)
    assert group.counts() == [2, 2, 2]


def test_the_store_away_stops_everything_in_the_end() -> None:
    """Measuring goes on for what is leased, and how long nobody does is known."""
    group = settled()
    for member in group.members:
        member.link.is_up = False
    group.run(2 * LONGEST_S)
    assert group.counts() == [0, 0, 0]
    assert group.members[0].leases.unheld_s("w0") > LONGEST_S
    for member in group.members:
        member.link.is_up = True
    group.run(SETTLED_S)
    assert group.counts() == [2, 2, 2]
    assert all(member.leases.unheld_s("w0") <= STEP for member in group.members)


@pytest.mark.parametrize("is_lost", [False, True], ids=["not asked", "answer lost"])
def test_a_run_that_began_while_the_store_was_away_is_told_later(*, is_lost: bool) -> None:
    """Else whoever has the lease next would call again at once."""
    group = settled()
    holder = group.members[0]
    work = min(holder.leases.held)
    group.wait(1)
    began = group.now
    holder.link.loses_answer, holder.link.is_up = is_lost, is_lost
    assert done(holder.leases.may_begin(work)), "what is leased goes on"
    group.wait(2)
    holder.link.is_up = True
    holder.step()
    assert group.server.last_run[work] == pytest.approx(began)
    group.wait(2)
    holder.step()
    assert group.server.last_run[work] == pytest.approx(began), "it is told once"
    other = min(group.members[1].leases.held)
    assert not done(holder.leases.may_begin(other))
    holder.step()
    assert other not in group.server.last_run, "of what it does not hold it says nothing"


def test_a_store_that_forgot_gives_nothing_while_an_old_lease_may_last() -> None:
    """Holders go on; one who comes anew waits."""
    group = settled()
    held = [member.leases.held for member in group.members]
    group.server.restart(keeps=())
    group.members[0].link.is_up = False  # it holds, and cannot say so
    group.run(STEP)
    assert [member.leases.held for member in group.members] == held
    group.members.append(Member(group, "new"))
    group.run(2 * STEP)
    assert not group.members[3].leases.held
    group.run(2 * lease_s(INTERVAL_S))
    assert sum(group.counts()) == 6
    assert all(fences == sorted(set(fences)) for fences in group.fences.values())


def test_a_slow_store_costs_the_lease_and_never_a_second_caller() -> None:
    """An answer that comes after the lease is over gives nothing."""
    group = settled()
    slow = group.members[0]
    slow.link.slow_s = lease_s(INTERVAL_S)
    slow.step()
    group.check()
    assert not slow.leases.held
    slow.link.slow_s = 0
    group.run(SETTLED_S)
    assert sum(group.counts()) == 6


def test_a_lost_answer_is_made_good() -> None:
    """A lease that was given without our knowing is taken over with its number."""
    group = FakeGroup(SIX[:1], 1.0)
    (member,) = group.members
    member.step()  # it joins
    asked = member.leases.client.acquire

    async def acquire(work: str, name: str, lasts_s: float) -> object:
        member.link.loses_answer = True
        return await asked(work, name, lasts_s)

    member.leases.client.acquire = acquire  # type: ignore[method-assign, assignment] # once
    member.step()
    assert not member.leases.held
    member.step()
    assert member.leases.held == {"w0"}
    assert member.gains == [("w0", 1, None)]


def test_a_result_counts_only_under_the_lease_of_its_run() -> None:
    """One of an older holder is refused, by the store's word or by the clock alone."""
    group = settled()
    old = group.members[0]
    work = min(old.leases.held)
    fence = old.leases.fence(work)
    assert fence is not None
    assert done(old.leases.is_current(work, fence))
    del group.server.leases[work]  # such as by a hand at the keys
    other = Member(group, "other")
    group.members.append(other)
    done(other.link.acquire(work, "other", 15))
    assert not done(old.leases.is_current(work, fence))
    assert (work, "taken") in old.losses
    group.members[1].link.is_up = False
    cut = group.members[1]
    mine = min(cut.leases.held)
    number = cut.leases.fence(mine)
    assert number is not None
    assert done(cut.leases.is_current(mine, number)), "the store's word is not needed"
    group.wait(LONGEST_S)
    assert not done(cut.leases.is_current(mine, number))


def test_work_that_is_removed_during_its_run_is_given_back_after_it() -> None:
    """Its run ends by itself, under its lease."""
    group = settled(1.0)
    (member,) = group.members
    member.busy.add("w0")
    member.leases.remove("w0")
    group.run(STEP)
    assert member.leases.fence("w0") is not None
    member.busy.clear()
    group.run(STEP)
    assert group.server.holder("w0") is None


def test_leases_last_a_quarter_of_the_interval() -> None:
    """Within bounds."""
    assert [lease_s(s) for s in (5, 60, 1e5)] == [SHORTEST_S, 15, LONGEST_S]
    assert lease_s(LONGEST_INTERVAL_S) == LONGEST_S
