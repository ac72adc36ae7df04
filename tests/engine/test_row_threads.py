"""RowThreadPool keep the order, take little work ahead, and leave torch's threads as they were."""

import threading
from collections.abc import Generator, Iterator

import pytest
import torch

from judgestream.engine.row_threads import RowThreadPool

CPU = torch.device("cpu")
SOON = 10.0


@pytest.fixture
def two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("two_threads")
def test_two_rows_run_at_once_with_a_thread_each_and_in_order() -> None:
    meeting = threading.Barrier(2)

    def work(number: int) -> tuple[int, int]:
        meeting.wait(SOON)  # only two at once get past this
        return number, torch.get_num_threads()

    assert list(RowThreadPool(CPU).run(work, range(4))) == [(n, 1) for n in range(4)]
    assert torch.get_num_threads() == 2


@pytest.mark.usefixtures("two_threads")
def test_a_lone_row_has_all_threads() -> None:
    assert list(RowThreadPool(CPU).run(lambda _: torch.get_num_threads(), [0])) == [2]
    assert list(RowThreadPool(CPU).run(lambda _: 0, [])) == []


@pytest.mark.usefixtures("two_threads")
def test_one_item_at_most_waits_for_a_lane() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    running = RowThreadPool(CPU).run(lambda number: number, items())
    assert next(running) == 0
    assert len(taken) == 3
    assert isinstance(running, Generator)
    running.close()
    assert torch.get_num_threads() == 2
    assert len(taken) == 3


@pytest.mark.usefixtures("two_threads")
def test_an_error_reaches_the_caller_and_the_lanes_go_on() -> None:
    lanes = RowThreadPool(CPU)

    def work(number: int) -> int:
        if number == 1:
            raise ValueError("one")
        return number

    with pytest.raises(ValueError, match="one"):
        list(lanes.run(work, range(4)))
    assert torch.get_num_threads() == 2
    assert list(lanes.run(work, [2, 3])) == [2, 3]


def test_a_gpu_has_one_lane() -> None:
    thread = threading.current_thread()
    lanes = RowThreadPool(torch.device("meta"))
    assert list(lanes.run(lambda _: threading.current_thread() is thread, range(3))) == [True] * 3


@pytest.mark.usefixtures("two_threads")
def test_torch_has_its_threads_back_when_the_last_of_two_runs_ends() -> None:
    lanes = RowThreadPool(CPU)
    long, short = (lanes.run(lambda number: number, range(4)) for _ in range(2))
    assert (next(long), next(short)) == (0, 0)
    assert isinstance(short, Generator)
    short.close()
    assert torch.get_num_threads() == 1
    assert list(long) == [1, 2, 3]
    assert torch.get_num_threads() == 2
