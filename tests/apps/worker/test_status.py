"""The state of a worker, and its entry on the board."""

import json
from datetime import UTC, datetime

import pytest

from judgestream.adapters.redis.worker_board import WorkerEntry, WorkerState, _entry
from judgestream.apps.worker.status import WorkerStatus

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
ENTRY = WorkerEntry(
    kind="judging",
    slot=1,
    host="here",
    pid=7,
    life="a1",
    started_at=NOON,
    seen_at=NOON,
    state=WorkerState.PAUSED,
    reason="401",
    partitions=(("judge.requests.v1", 3),),
    lag=12,
    counts={"set_aside": 2},
)


def test_an_entry_round_trips_through_json() -> None:
    assert _entry(ENTRY.as_json()) == ENTRY


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"judging"',
        json.dumps({"kind": "judging"}),
        ENTRY.as_json().replace('"paused"', "7"),
        ENTRY.as_json().replace('"slot": 1', '"slot": 1e999'),
        ENTRY.as_json().replace('"seen_at": "2026', '"seen_at": "X026'),
        "[" * 100_000,
    ],
)
def test_an_invalid_entry_is_left_out(raw: bytes | str) -> None:
    assert _entry(raw) is None


def test_a_state_that_only_a_newer_version_knows_holds_the_slot() -> None:
    """Otherwise a worker of the older version would take the slot of a running one."""
    found = _entry(ENTRY.as_json().replace('"paused"', '"resting"'))
    assert found is not None
    assert (found.state, found.life) == (WorkerState.WAITING, ENTRY.life)


def test_a_reason_is_logged_once_until_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    status = WorkerStatus(kind="judging", slot=0)
    for reason in ("Redis is away", "Redis is away", "quota exhausted"):
        status.waiting(reason)
    assert [record.getMessage() for record in caplog.records] == [
        "waiting: Redis is away",
        "waiting: quota exhausted",
    ]
    assert status.entry().reason == "quota exhausted"
    status.working()
    assert (status.state, status.reason) == (WorkerState.WORKING, "")


def test_counts_and_partitions_are_shown() -> None:
    status = WorkerStatus(kind="bias", slot=2)
    status.count("set_aside")
    status.count("set_aside", 3)
    status.assigned([("t", 4), ("t", 1)])
    entry = status.entry()
    assert entry.counts == {"set_aside": 4}
    assert entry.partitions == (("t", 1), ("t", 4))
    assert (entry.name, entry.state) == ("bias-2", WorkerState.STARTING)
