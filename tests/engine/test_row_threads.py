"""The thread pool keeps the order, takes little work ahead, and restores torch's number of threads."""

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
def test_a_single_row_gets_all_threads() -> None:
    assert list(RowThreadPool(CPU).run(lambda _: torch.get_num_threads(), [0])) == [2]
    assert list(RowThreadPool(CPU).run(lambda _: 0, [])) == []


@pytest.mark.usefixtures("two_threads")
def test_at_most_one_item_waits_for_a_thread() -> None:
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
def test_an_error_reaches_the_caller_and_the_pool_stays_usable() -> None:
    pool = RowThreadPool(CPU)

    def work(number: int) -> int:
        if number == 1:
            raise ValueError("one")
        return number

    with pytest.raises(ValueError, match="one"):
        list(pool.run(work, range(4)))
    assert torch.get_num_threads() == 2
    assert list(pool.run(work, [2, 3])) == [2, 3]


def test_a_gpu_gets_one_thread() -> None:
    thread = threading.current_thread()
    pool = RowThreadPool(torch.device("meta"))
    assert list(pool.run(lambda _: threading.current_thread() is thread, range(3))) == [True] * 3


@pytest.mark.usefixtures("two_threads")
def test_torch_has_its_threads_back_when_the_last_of_two_runs_ends() -> None:
    pool = RowThreadPool(CPU)
    long, short = (pool.run(lambda number: number, range(4)) for _ in range(2))
    assert (next(long), next(short)) == (0, 0)
    assert isinstance(short, Generator)
    short.close()
    assert torch.get_num_threads() == 1
    assert list(long) == [1, 2, 3]
    assert torch.get_num_threads() == 2
