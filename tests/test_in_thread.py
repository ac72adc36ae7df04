"""Work beside a test ends with it, and its failure is the test's."""

import pytest

from tests.integration.in_thread import InThread


class Failing(InThread):
    def work(self) -> None:
        raise OSError("no broker")


class Waiting(InThread):
    ended = False

    def work(self) -> None:
        self.ended = self.stopped.wait(60)


def test_a_failure_of_the_work_is_raised_at_the_end() -> None:
    with pytest.raises(OSError, match="no broker"):
        with Failing():
            pass


def test_the_bodys_own_failure_comes_first() -> None:
    with pytest.raises(KeyError):
        with Failing():
            raise KeyError


def test_the_work_is_told_to_stop_and_awaited() -> None:
    with Waiting() as waiting:
        assert not waiting.ended
    assert waiting.ended
