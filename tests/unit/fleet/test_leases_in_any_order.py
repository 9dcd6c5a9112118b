"""Whatever happens, in whatever order: never two holders, and numbers that only grow."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from exporter.fleet.leases import Share
from tests.fake_leases import FakeGroup, Member, done

SHARES = (Share("a", 20, 100), Share("b", 60, 200), Share("c", 300, 300))
PACES = (0.99, 1.0, 1.01)
WHO = st.integers(0, len(PACES) - 1)
WORK = st.sampled_from([share.id for share in SHARES])


class Fleet(RuleBasedStateMachine):
    """Three exporters whose clocks do not run alike, and a store that is not to be trusted."""

    def __init__(self) -> None:
        super().__init__()
        self.group = FakeGroup(SHARES, *PACES)
        self.group.run(10)
        self.born = len(PACES)
        self.runs: dict[tuple[int, str], int] = {}
        """By member and work: the number under which a run began."""

    @rule(seconds=st.sampled_from([1.0, 4.0, 9.0, 20.0, 50.0]))
    def wait(self, seconds: float) -> None:
        """Let time pass in which nobody does anything."""
        self.group.wait(seconds)

    @rule(rounds=st.integers(1, 10), every_s=st.sampled_from([0.5, 2.0, 5.0]))
    def go_on(self, rounds: int, every_s: float) -> None:
        """Let time pass as it should."""
        self.group.run(rounds * every_s, every_s)

    @rule(who=WHO)
    def step(self, who: int) -> None:
        """One of them alone does its work."""
        self.group.members[who].step()

    @rule(who=WHO)
    def cut_or_heal(self, who: int) -> None:
        """Its way to the store is cut, or there again."""
        link = self.group.members[who].link
        link.is_up = not link.is_up

    @rule(who=WHO, seconds=st.sampled_from([0.0, 0.5, 3.0, 12.0]))
    def slow(self, who: int, seconds: float) -> None:
        """Its questions and answers take so long."""
        self.group.members[who].link.slow_s = seconds

    @rule(who=WHO)
    def lose_answer(self, who: int) -> None:
        """Its next answer is lost."""
        self.group.members[who].link.loses_answer = True

    @rule(who=WHO)
    def kill(self, who: int) -> None:
        """It dies, and another one is started in its place."""
        self.born += 1
        self.group.members[who] = Member(self.group, f"m{self.born}", PACES[who])
        self._forget_runs(who)

    @rule(who=WHO)
    def stop(self, who: int) -> None:
        """It ends in order, and another one is started in its place."""
        member = self.group.members[who]
        member.busy.clear()
        done(member.leases.leave())
        self.kill(who)

    @rule(kept=st.sets(WORK))
    def restart_store(self, kept: set[str]) -> None:
        """The store is started again, and knows some of the leases."""
        self.group.server.restart(keeps=[each for each in self.group.server.leases if each in kept])

    @rule(who=WHO, work=WORK)
    def begin(self, who: int, work: str) -> None:
        """A run begins."""
        member = self.group.members[who]
        fence = member.leases.fence(work)
        if fence is not None and done(member.leases.may_begin(work)):
            member.busy.add(work)
            self.runs[who, work] = fence

    @rule(who=WHO, work=WORK)
    def end(self, who: int, work: str) -> None:
        """It ends: its result counts only if no lease was given since."""
        member, fence = self.group.members[who], self.runs.pop((who, work), None)
        if fence is not None and done(member.leases.is_current(work, fence)):
            assert self.group.fences[work][-1] == fence
        member.busy.discard(work)

    @invariant()
    def one_holder(self) -> None:
        """No work is run by two."""
        self.group.check()

    @invariant()
    def numbers_grow(self) -> None:
        """Each lease has a larger number than those before it; one that is found again keeps it."""
        for work, fences in self.group.fences.items():
            assert fences == sorted(fences), work

    def teardown(self) -> None:
        """Once all is well again, each work has its one holder."""
        for member in self.group.members:
            member.link.is_up, member.link.slow_s, member.link.loses_answer = True, 0.0, False
        self.group.run(150)
        assert all(len(self.group.holders(share.id)) == 1 for share in SHARES)

    def _forget_runs(self, who: int) -> None:
        self.runs = {key: fence for key, fence in self.runs.items() if key[0] != who}


TestFleet = Fleet.TestCase
