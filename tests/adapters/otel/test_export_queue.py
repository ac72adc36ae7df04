"""A queue that is full, an exporter that raises, and the end."""

import threading
import time
from collections.abc import Callable, Sequence

import pytest

from judgestream.adapters.otel import export_queue
from judgestream.adapters.otel.export_queue import ExportQueue


def raising(batch: Sequence[int]) -> bool:
    raise OSError("no route")


def refusing(batch: Sequence[int]) -> bool:
    return False


@pytest.mark.parametrize(("export", "why"), [(raising, "OSError: no route"), (refusing, "did not")])
def test_what_an_exporter_loses_is_counted_and_logged_once(
    export: Callable[[Sequence[int]], bool], why: str, caplog: pytest.LogCaptureFixture
) -> None:
    lost: list[int] = []
    queue = ExportQueue(export, what="spans", lost=lost.append, every_s=0.001)
    for k in range(3):
        queue.put(k)
        deadline = time.monotonic() + 5
        while sum(lost) <= k and time.monotonic() < deadline:
            time.sleep(0.001)
    queue.close(1)
    assert lost == [1, 1, 1]
    (line,) = caplog.messages
    assert why in line and "telemetry.endpoint" in line


def test_a_slow_exporter_fills_the_queue_and_the_rest_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(export_queue, "MOST", 3)
    began, end = threading.Event(), threading.Event()
    lost: list[int] = []

    def slow(batch: Sequence[int]) -> bool:
        began.set()
        return end.wait(10)

    queue = ExportQueue(slow, what="spans", lost=lost.append, every_s=0.001)
    queue.put(0)
    assert began.wait(5)
    for k in range(10):
        queue.put(k)
    assert sum(lost) == 7
    started = time.monotonic()
    queue.close(0.05)
    assert time.monotonic() - started < 1
    assert sum(lost) == 10, "what waits at the end is lost, too"
    end.set()
    queue.put(1)
    assert sum(lost) == 11


def test_the_end_exports_what_waits() -> None:
    got: list[int] = []
    lost: list[int] = []

    def export(batch: Sequence[int]) -> bool:
        got.extend(batch)
        return True

    queue = ExportQueue(export, what="spans", lost=lost.append, every_s=60)
    for k in range(100):
        queue.put(k)
    queue.close(5)
    assert got == list(range(100)) and not lost
