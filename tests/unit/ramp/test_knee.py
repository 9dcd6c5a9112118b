"""The knee: the last tier that held, or one of four reasons why there is none."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.ramp.judge import JudgedTier, KneeKind, find_knee, is_last
from tests.unit.ramp.tiers import IDLE, judged, tier

BUSY = replace(IDLE, lag_s=0.5)


def good(clients: int) -> JudgedTier:
    """A tier that held."""
    return judged(tier(clients))


def bad(clients: int) -> JudgedTier:
    """A tier that broke."""
    return judged(tier(clients, rtt_ms=500))


def limited(clients: int, rtt_ms: float = 10) -> JudgedTier:
    """A tier that says nothing."""
    return judged(tier(clients, rtt_ms, load=BUSY))


def test_last_tier_that_held() -> None:
    """The knee is the tier before the first that broke."""
    knee = find_knee([good(2), good(10), bad(25), good(50)])
    assert (knee.kind, knee.clients, knee.text) == (KneeKind.FOUND, 10, "~10 clients")


def test_the_ways_to_have_none() -> None:
    """They are told apart, and none has a number."""
    answers = {
        "all held": find_knee([good(2), good(10)]),
        "none held": find_knee([bad(2)]),
        "the prober": find_knee([good(2), limited(10)]),
        "broken while limited": find_knee([good(2), limited(10, 900)]),
        "cut short": find_knee([good(2)], complete=False),
        "nothing": find_knee([]),
    }
    assert {name: answer.kind for name, answer in answers.items()} == {
        "all held": KneeKind.NONE_WITHIN,
        "none held": KneeKind.BELOW_FIRST,
        "the prober": KneeKind.LIMITED,
        "broken while limited": KneeKind.LIMITED,
        "cut short": KneeKind.UNKNOWN,
        "nothing": KneeKind.UNKNOWN,
    }
    assert {name: answer.text for name, answer in answers.items()} == {
        "all held": "none within the ramp: 10 clients held",
        "none held": "below 2 clients",
        "the prober": "unknown: the prober was the limit at 10 clients",
        "broken while limited": "unknown: the prober was the limit at 10 clients",
        "cut short": "unknown: the ramp was not completed",
        "nothing": "unknown: the ramp was not completed",
    }
    assert all(answer.clients is None for answer in answers.values())


KINDS = {"good": good, "bad": bad, "limited": limited}


@given(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=8))
def test_any_ramp(kinds: list[str]) -> None:
    """A number is told only when all up to it held and the next, which was measured, broke."""
    tiers = [KINDS[kind](2 + 3 * place) for place, kind in enumerate(kinds)]

    knee = find_knee(tiers)

    held = next((at for at, kind in enumerate(kinds) if kind != "good"), len(kinds))
    if knee.kind is KneeKind.FOUND:
        assert kinds[held] == "bad"
        assert knee.clients == tiers[held - 1].clients
    else:
        assert knee.clients is None
        assert held in (0, len(kinds)) or kinds[held] == "limited"
    ends = [is_last(each) for each in tiers]
    assert ends.index(True) == held if True in ends else held == len(kinds)
    # What comes after the end of the ramp changes nothing.
    assert find_knee([*tiers[: held + 1], good(1000)]).clients == knee.clients or held == len(kinds)
