"""A Faust worker whose signals go through `Stopping`."""

from signal import Signals
from typing import Any

from judgestream.apps.worker.faust_pauses import Worker
from judgestream.apps.worker.stopping import Stopping


class StoppingWorker(Worker):
    """Faust's own worker ignores a second signal, and tells nobody about the first."""

    def __init__(self, *services: Any, stopping: Stopping, **options: Any) -> None:
        super().__init__(*services, **options)
        self._stopping = stopping

    def _schedule_shutdown(self, signal: Signals) -> None:
        self._stopping.signal(signal)
        super()._schedule_shutdown(signal)
