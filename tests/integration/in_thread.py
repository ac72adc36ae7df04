"""Work that runs beside a test, in its own thread."""

import threading
from types import TracebackType
from typing import Self

from tests.integration.cluster import Cluster, pairs


class InThread:
    """Runs `work` while the body does. `work` returns soon after `stopped` is set, at the end of the body.

    failure   what ended `work`; raised at the end of a body that raises nothing itself
    """

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.failure: BaseException | None = None
        self._thread = threading.Thread(target=self._run)

    def work(self) -> None:
        raise NotImplementedError

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stopped.set()
        self._thread.join(60)
        if self.failure is not None and error is None:
            raise self.failure

    def _run(self) -> None:
        try:
            self.work()
        except BaseException as exc:  # noqa: BLE001 - raised in the thread of the test
            self.failure = exc


class Stream(InThread):
    """Publishes `batch` requests every 0.2 s, for which the instant judge takes `sleep_ms` each."""

    def __init__(self, cluster: Cluster, tag: str, *, batch: int, sleep_ms: int) -> None:
        super().__init__()
        self.ids: list[str] = []
        self._cluster, self._tag = cluster, tag
        self._batch, self._sleep_ms = batch, sleep_ms

    def work(self) -> None:
        for k in range(10_000):
            if self.stopped.wait(0.2):
                return
            requests = pairs(self._batch, f"{self._tag}-{k}", sleep_ms=self._sleep_ms)
            self.ids += self._cluster.submit(requests)
