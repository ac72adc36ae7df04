"""A blocked event loop is seen from another thread."""

from judgestream.apps.worker.heartbeat import LOOP_S, Heartbeat


def test_a_loop_without_a_beat_for_too_long_is_blocked() -> None:
    now = 100.0
    heartbeat = Heartbeat(clock=lambda: now)
    assert heartbeat.check().ok, "no loop runs yet"
    heartbeat.beat()
    now += LOOP_S
    assert heartbeat.check().ok
    now += 1
    check = heartbeat.check()
    assert (check.ok, check.detail) == (False, f"blocked for {LOOP_S + 1:.0f} s")
    heartbeat.beat()
    assert heartbeat.check().ok
