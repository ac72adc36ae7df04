"""The values of `--from` and `--to`."""

from datetime import UTC, datetime

import pytest

from judgestream.apps.replay.selection import Bound, Selection
from judgestream.core.errors import ConfigurationError

THEN = datetime(2026, 1, 31, tzinfo=UTC)


def moment(text: str) -> datetime:
    assert text == "2h"
    return THEN


class Topic:
    """The offsets of a topic of two partitions."""

    def beginning(self) -> dict[int, int]:
        return {0: 10, 1: 0}

    def end(self) -> dict[int, int]:
        return {0: 50, 1: 20}

    def since(self, time: datetime) -> dict[int, int]:
        assert time == THEN
        return {0: 30, 1: 20}


@pytest.mark.parametrize(
    ("start", "end", "bounds"),
    [
        ([], None, ({0: 10, 1: 0}, {0: 50, 1: 20})),
        (["0"], None, ({0: 10, 1: 0}, {0: 50, 1: 20})),
        (["15"], "18", ({0: 15, 1: 15}, {0: 18, 1: 18})),
        (["999"], None, ({0: 50, 1: 20}, {0: 50, 1: 20})),
        (["2h"], None, ({0: 30, 1: 20}, {0: 50, 1: 20})),
        (["0"], "2h", ({0: 10, 1: 0}, {0: 30, 1: 20})),
        (["1:5"], None, ({0: 50, 1: 5}, {0: 50, 1: 20})),
        (["0:12,1:5"], "1:7", ({0: 12, 1: 5}, {0: 50, 1: 7})),
        (["mode=pairwise"], None, ({0: 10, 1: 0}, {0: 50, 1: 20})),
        (["mode=pairwise", "15"], None, ({0: 15, 1: 15}, {0: 50, 1: 20})),
    ],
)
def test_bounds_on_the_topic(
    start: list[str], end: str | None, bounds: tuple[dict[int, int], dict[int, int]]
) -> None:
    selection = Selection.of(start, end, limit=None, moment=moment)
    assert selection.bounds(Topic()) == bounds  # type: ignore[arg-type]


def test_an_unknown_partition_is_named() -> None:
    with pytest.raises(ConfigurationError, match="no partition 7: use 0 to 1"):
        Selection.of(["7:1"], None, limit=None, moment=moment).bounds(Topic())  # type: ignore[arg-type]


def test_two_places_are_refused() -> None:
    with pytest.raises(ConfigurationError, match="names two places, '1' and '2h'"):
        Selection.of(["1", "2h"], None, limit=None, moment=moment)


def test_conditions_of_several_options_are_all_required() -> None:
    chosen = Selection.of(["mode=pairwise", "metadata.t=x"], None, limit=3, moment=moment)
    assert chosen.wanted.conditions == (("metadata.t", "x"), ("mode", "pairwise"))
    assert chosen.limit == 3


def test_a_bound_is_an_offset_places_or_a_time() -> None:
    assert Bound.of("12", moment) == Bound(every=12)
    assert Bound.of("3:120,5:7", moment) == Bound(places={3: 120, 5: 7})
    assert Bound.of("2h", moment) == Bound(time=THEN)
