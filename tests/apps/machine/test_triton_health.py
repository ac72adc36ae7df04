"""The health of a Triton in the foreground."""

from judgestream.apps.machine.triton_alone import SILENT_S, Watched, answers
from judgestream.local.ports import free_port


def test_a_triton_that_answers_no_more_is_not_live() -> None:
    now, live = 10.0, True
    watched = Watched(lambda: live, clock=lambda: now)
    assert watched.check().ok
    live = False
    now += SILENT_S
    watched.ask()
    assert watched.check().ok, "one answer may be late"
    now += 1
    check = watched.check()
    assert (check.ok, check.detail) == (False, f"no answer for {SILENT_S + 1:.0f} s")
    live = True
    watched.ask()
    assert watched.check().ok


def test_nobody_answers_at_a_free_port() -> None:
    assert not answers(f"127.0.0.1:{free_port()}")
