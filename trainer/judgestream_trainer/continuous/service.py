"""The service loop: collect examples, run a training cycle when enough are new or on command, repeat."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from types import FrameType

from rich.console import Console

from judgestream.adapters.kafka.group import GroupReader
from judgestream.checkpoints.manifest import FILE_NAME
from judgestream.core.errors import BrokerUnavailable
from judgestream.telemetry.spans import Kind, Span, begin
from judgestream.v1.training_pb2 import TrainingExample
from judgestream_trainer.continuous import metrics
from judgestream_trainer.continuous.cycle import (
    CycleInput,
    CycleSettings,
    Stopped,
    split_examples,
    training_cycle,
)
from judgestream_trainer.continuous.store import PUBLISHED, REFUSED, Store

POLL_S = 0.5
RETRY_S = 5.0
"""Pause between two attempts to reach Kafka. An event's wait instead of a retry library: SIGTERM ends it."""

Reader = Callable[[], GroupReader[TrainingExample]]
"""Joins the consumer group. The service leaves it while it trains, which takes longer than a session
timeout."""


@dataclass(kw_only=True)
class Signals:
    """Requests by signal: SIGTERM and SIGINT stop the service, SIGUSR1 starts training."""

    stop: threading.Event = field(default_factory=threading.Event)
    train: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Handle the signals inside the block. Main thread only."""
        events = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
            signal.SIGUSR1: self.train,
        }

        def set_event(number: int, frame: FrameType | None) -> None:
            events[signal.Signals(number)].set()

        before = {number: signal.signal(number, set_event) for number in events}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """`min_examples` new examples start a cycle. Cycles are the numbered folders in `data`/rounds."""

    settings: CycleSettings
    reader: Reader
    data: Path
    min_examples: int
    console: Console

    def run(self, signals: Signals, *, once: bool = False) -> bool:
        """Run until asked to stop. A cycle that an earlier process left open is finished first.

        Args:
            once: read the topic to its end, run a cycle if enough examples are new (or one was requested),
            and
                return.

        Returns:
            False when the judge of the last cycle was refused.
        """
        store = Store(self.data / "store.sqlite")
        metrics.waiting.set(store.new_count())
        published = True
        try:
            while not signals.stop.is_set():
                try:
                    published = self._turn(store, signals, once=once)
                except BrokerUnavailable as error:
                    if once:
                        raise
                    metrics.kafka_available.set(0)
                    self.console.print(f"waiting for Kafka: {error}", style="red", markup=False)
                    signals.stop.wait(RETRY_S)
                if once:
                    break
        except Stopped:
            self.console.print("stopped during a training cycle; the next start continues it")
        finally:
            store.close()
        return published

    def _turn(self, store: Store, signals: Signals, *, once: bool) -> bool:
        """Collect until a cycle is due, and run it; or finish the one that was left open."""
        number = store.pending()
        resumed = number is not None
        if number is None:
            self._gather(store, signals, once=once)
            if signals.stop.is_set() or not self._due(store, signals):
                return True
            signals.train.clear()
            number = store.open_cycle()
        metrics.cycle.set(number)
        metrics.waiting.set(store.new_count())
        with (
            metrics.training.track_inprogress(),
            begin("training cycle", Kind.INTERNAL, drawn=False) as span,
        ):
            span.put({"judgestream.cycle": number, "judgestream.resumed": resumed})
            return self._cycle(store, number, span)

    def _gather(self, store: Store, signals: Signals, *, once: bool) -> None:
        """Store examples and commit their offsets until a cycle is due or a stop is requested.

        A cycle on command, and the single one of `once`, is due when the topic has been read to its end.
        """
        with self.reader() as reader:
            while not signals.stop.is_set():
                batch = reader.poll(POLL_S)
                metrics.kafka_available.set(1)
                if batch:
                    counts = store.add(batch)
                    metrics.gathered(counts, store.new_count())
                    # only after the examples are on disk: committed records are not delivered again
                    reader.commit()
                    waiting = f"{store.new_count()} wait for the next training cycle"
                    self.console.print(f"{counts}; {waiting}", markup=False)
                at_end = once or signals.train.is_set()
                if at_end and not batch and reader.behind() == 0:
                    if store.new_count() == 0 and not once:
                        self.console.print("training was requested, but there are no new examples")
                        signals.train.clear()
                        continue
                    return
                if not at_end and store.new_count() >= self.min_examples:
                    return

    def _due(self, store: Store, signals: Signals) -> bool:
        count = store.new_count()
        return count >= self.min_examples or (signals.train.is_set() and count > 0)

    def _cycle(self, store: Store, number: int, span: Span) -> bool:
        settings = self.settings
        with span.child("read examples", Kind.INTERNAL) as reading:
            inputs = CycleInput(
                number=number,
                sides=split_examples(store.examples(), settings.shares),
                digest=store.digest(),
                current=self._kept(store.current()),
                best=self._kept(store.best()),
            )
            for side, examples in inputs.sides.items():
                reading.put({f"judgestream.examples.{side}": len(examples)})
        folder = self.data / "rounds" / f"{number:04d}"
        result = training_cycle(settings, inputs, folder, self.console)
        if result.evidence:
            store.set_best(number, result.candidate, result.evidence)
        outcome = PUBLISHED if result.location else REFUSED
        store.close_cycle(number, outcome, result.candidate)
        metrics.closed(outcome, time())
        span.put({"judgestream.outcome": outcome})
        if result.location:
            self.console.print(
                f"training cycle {number}: published {result.location}", markup=False
            )
        for reason in result.reasons:
            self.console.print(
                f"training cycle {number}: not published: {reason}", style="red", markup=False
            )
        return bool(result.location)

    def _kept(self, judge: Path | None) -> Path:
        """The judge's folder; the base's while there is none, or when the folder was removed."""
        if judge is None:
            return self.settings.base
        if not (judge / FILE_NAME).exists():
            self.console.print(
                f"{judge} does not exist: the base {self.settings.base} is used instead",
                markup=False,
            )
            return self.settings.base
        return judge
