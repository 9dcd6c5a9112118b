"""Rooms of pairs, which only ever grow, in processes that are never full."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from exporter.probes.ramp.rooms import grown, shared_out


@given(st.lists(st.integers(2, 300), min_size=1, max_size=6, unique=True).map(sorted))
def test_any_ramp(tiers: list[int]) -> None:
    """1. Rooms for each tier of a ramp. Result: the right number, nobody alone, nobody moved."""
    sizes: list[int] = []
    places: list[int] = []
    for clients in tiers:
        before, before_places = sizes, places
        sizes = grown(before, clients)
        places = shared_out(sizes, before_places, per_process=10)
        assert sum(sizes) == clients
        assert min(sizes) >= 2
        assert all(now >= then for now, then in zip(sizes, before, strict=False))
        assert places[: len(before_places)] == before_places
        assert len(places) == len(sizes)
        assert sorted(set(places)) == list(range(max(places) + 1))


def test_pairs_and_a_trio() -> None:
    """An odd client makes a trio of a new pair, or of the smallest room that there is."""
    assert grown([], 2) == [2]
    assert grown([], 5) == [2, 3]
    assert grown([2, 3], 10) == [2, 3, 2, 3]
    assert grown([2, 2], 5) == [3, 2]


@given(st.integers(2, 400), st.integers(2, 20))
def test_no_process_has_more_than_its_share(clients: int, per_process: int) -> None:
    """A fresh ramp never puts more clients into a process than allowed, but for a lone trio."""
    sizes = grown([], clients)
    places = shared_out(sizes, [], per_process)
    for place in set(places):
        held = [size for size, at in zip(sizes, places, strict=True) if at == place]
        assert sum(held) <= per_process or len(held) == 1


def test_processes_are_filled_before_another_is_started() -> None:
    """25 clients of which 10 fit into a process need three."""
    places = shared_out(grown([], 25), [], per_process=10)
    assert max(places) == 2
    assert all(after >= before for before, after in pairwise(places))
