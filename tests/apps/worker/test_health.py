"""What makes a process live and ready."""

import pytest

from judgestream.apps.worker.board_keeper import redis_check
from judgestream.apps.worker.status import WorkerStatus
from judgestream.process_health import Check, Health


def good() -> Check:
    return Check(name="judge", ok=True, detail="answers")


def bad() -> Check:
    return Check(name="judge", ok=False, detail="is away")


def state(health: Health) -> Check:
    return health.ready().checks[0]


def test_a_process_is_ready_once_it_has_started() -> None:
    health = Health(lambda: "release x is not loaded")
    assert health.live().ok
    assert not health.ready().ok
    assert state(health).detail == "starting: release x is not loaded"
    health.started()
    assert health.ready().ok


def test_a_draining_process_is_live_and_not_ready() -> None:
    health = Health()
    health.started()
    health.live_while(good)
    health.drain()
    assert health.live().ok
    assert not health.ready().ok
    assert state(health).detail.startswith("stopping")


def test_what_is_not_live_is_not_ready_and_not_the_reverse() -> None:
    for stuck in (True, False):
        health = Health()
        health.started()
        health.live_while(bad if stuck else good)
        health.ready_while(good if stuck else bad)
        assert health.live().ok is not stuck
        assert not health.ready().ok


def test_a_check_that_raises_fails_alone(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Check:
        raise KeyError("password")

    health = Health()
    health.started()
    health.ready_while(broken, good)
    report = health.ready()
    assert [check.ok for check in report.checks] == [True, False, True]
    assert report.checks[1].detail == "the check raised KeyError: see the log"
    assert "a health check failed" in caplog.text


@pytest.mark.parametrize(
    ("answers", "needed", "ok"),
    [
        (True, True, True),
        (True, False, True),
        (False, True, False),
        (False, False, True),
        (None, True, False),
        (None, False, True),
    ],
)
def test_only_those_that_need_redis_wait_for_it(
    answers: bool | None, needed: bool, ok: bool
) -> None:
    status = WorkerStatus(kind="x", slot=0)
    status.redis_answers = answers
    check = redis_check(status, needed=needed)
    assert check.ok is ok
    assert ("judged again" in check.detail) is (answers is False and not needed)
