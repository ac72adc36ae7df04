"""The release that answers a record, by what earlier records of the same request came to."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.rollout.assignment import (
    MOST_RECORDS,
    Assignment,
    Memory,
    Outcome,
    Turn,
    from_text,
    merged,
    to_text,
    turn,
    with_record,
)

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LATER = NOON + timedelta(hours=1)
ASSIGNED, UNSCORED, SCORED = Outcome


def of(place: str, release: str, outcome: Outcome, at: datetime = NOON) -> Assignment:
    return Assignment(place=place, release=release, requested_at=at, outcome=outcome)


# what is remembered, of the record at p1 -> what the record at `place` comes to, while the route gives B
TABLE: list[tuple[Memory, str, Turn]] = [
    ((), "p1", Turn(release="B", requested_at=LATER)),
    ((of("p1", "A", ASSIGNED),), "p1", Turn(release="A", requested_at=NOON, again=True)),
    (
        (of("p1", "A", SCORED),),
        "p1",
        Turn(release="A", requested_at=NOON, again=True, suppressed=True),
    ),
    (
        (of("p1", "A", UNSCORED),),
        "p1",
        Turn(release="A", requested_at=NOON, again=True, suppressed=True),
    ),
    ((of("p1", "A", SCORED),), "p2", Turn(release="B", requested_at=LATER)),
    ((of("p1", "B", SCORED),), "p2", Turn(release="B", requested_at=NOON, suppressed=True)),
    ((of("p1", "B", UNSCORED),), "p2", Turn(release="B", requested_at=NOON)),
    ((of("p1", "B", ASSIGNED),), "p2", Turn(release="B", requested_at=NOON)),
]


@pytest.mark.parametrize("row", range(len(TABLE)))
def test_a_record_is_suppressed_or_assigned_by_the_rules(row: int) -> None:
    memory, place, expected = TABLE[row]
    assert turn(memory, place=place, routed="B", requested_at=LATER) == expected


def test_the_worker_and_the_store_know_together_what_either_has_seen() -> None:
    own = (of("p1", "A", SCORED), of("p2", "A", ASSIGNED))
    shared = (of("p1", "A", ASSIGNED), of("p2", "B", ASSIGNED), of("p3", "B", SCORED))
    assert merged(own, shared) == (of("p1", "A", SCORED), *shared[1:])
    assert merged(own, ()) == own


ASSIGNMENTS = st.builds(
    of,
    st.text(max_size=5),
    st.text(max_size=5),
    st.sampled_from(Outcome),
    st.integers(0, 10**9).map(lambda seconds: NOON + timedelta(seconds=seconds)),
)


@given(st.lists(ASSIGNMENTS, max_size=2 * MOST_RECORDS))
def test_the_newest_records_survive_as_text_whatever_their_names(records: list[Assignment]) -> None:
    memory: Memory = ()
    for one in records:
        memory = with_record(memory, one)
    assert len(memory) <= MOST_RECORDS and len({one.place for one in memory}) == len(memory)
    assert from_text(to_text(memory)) == memory


def test_a_traced_attempt_is_remembered_and_given_to_a_later_one() -> None:
    span = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced = Assignment(place="p1", release="A", requested_at=NOON, attempt=span)
    again = turn(from_text(to_text([traced])), place="p1", routed="B", requested_at=LATER)
    assert again == Turn(release="A", requested_at=NOON, again=True, attempt=span)
    assert traced == of("p1", "A", ASSIGNED), "the memory is not written again for a span alone"
    assert span not in to_text([of("p1", "A", ASSIGNED)])


def test_readers_of_the_last_release_understand_the_rows_of_traced_records() -> None:
    """They take exactly four fields a row, and drop the first of more than `MOST_RECORDS` rows."""
    span = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    traced = [
        Assignment(place=f"p {k}", release="A", requested_at=NOON, attempt=span)
        for k in range(MOST_RECORDS)
    ]
    rows = json.loads(to_text(traced))
    assert {len(row) for row in rows} == {4}
    assert [row[1] for row in rows[-MOST_RECORDS:]] == [one.place for one in traced]
    back = from_text(to_text(traced))
    assert [one.attempt for one in back] == [span] * MOST_RECORDS


def test_a_field_of_a_newer_version_is_left_out() -> None:
    (one,) = from_text(json.dumps([["scored", "p1", NOON.isoformat(), "A", 7, "more"]]))
    assert (one.outcome, one.attempt) == (SCORED, "")


@given(st.text() | st.recursive(st.integers() | st.text(), st.lists).map(str))
def test_any_text_can_be_read(text: str) -> None:
    assert isinstance(from_text(text), tuple)
