"""Which items of a suite a run has."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.types import Candidate
from judgestream.suites.base import Item, request
from judgestream.suites.sampling import sampled, selected

ASKED = request("single", "q", (Candidate(id="1", text="a"),))


def item(key: str, unit: str = "", **facts: str) -> Item:
    return Item(key=key, request=ASKED, cluster=key, unit=unit, facts=facts)


@given(st.lists(st.integers(1, 5), max_size=12), st.integers(1, 20), st.integers(0, 9))
def test_a_sample_has_whole_units_in_order_and_a_larger_one_contains_it(
    sizes: list[int], limit: int, seed: int
) -> None:
    items = [item(f"{u}-{k}", f"u{u}") for u, size in enumerate(sizes) for k in range(size)]
    small, large = sampled(items, limit, seed), sampled(items, limit + 3, seed)
    assert small == [one for one in items if one in small]
    kept = {one.unit for one in small}
    assert small == [one for one in items if one.unit in kept]
    assert len(small) <= max(limit, 5) and (small or not items)
    assert {one.key for one in small} <= {one.key for one in large}


def test_only_keeps_the_items_with_the_fact() -> None:
    items = [item("a", turn="1"), item("b", turn="2"), item("c")]
    assert [one.key for one in selected(items, {"turn": "2"})] == ["b"]
    with pytest.raises(KeyError, match="turns"):
        selected(items, {"turns": "2"})
