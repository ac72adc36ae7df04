"""The loop: gather examples; when enough are new, or on command, run a round; go on."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from rich.console import Console

from judgestream.adapters.kafka.group import GroupReader
from judgestream.checkpoints.manifest import NAME
from judgestream.core.errors import BrokerUnavailable
from judgestream.v1.training_pb2 import TrainingExample
from judgestream_trainer.continuous.cycle import Making, Material, Stopped, run_round, sides_of
from judgestream_trainer.continuous.store import PUBLISHED, Store

POLL_S = 0.5
BACKOFF_S = 5.0
"""Between two tries to reach Kafka."""

REFUSED = "refused"

Reader = Callable[[], GroupReader[TrainingExample]]
"""Joins the group anew: the service leaves it while it trains, for longer than any member may be silent."""


@dataclass(kw_only=True)
class Asked:
    """What signals ask for: SIGTERM and SIGINT to end, SIGUSR1 to train now."""

    stop: threading.Event = field(default_factory=threading.Event)
    train: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen while the block runs; the main thread only."""
        wanted = {
            signal.SIGTERM: self.stop,
            signal.SIGINT: self.stop,
            signal.SIGUSR1: self.train,
        }

        def set_event(number: int, frame: FrameType | None) -> None:
            wanted[signal.Signals(number)].set()

        before = {number: signal.signal(number, set_event) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


@dataclass(frozen=True, kw_only=True, slots=True)
class Service:
    """`least` new examples start a round. Rounds are numbered folders below `data`."""

    making: Making
    reader: Reader
    data: Path
    least: int
    console: Console

    def run(self, asked: Asked, *, once: bool = False) -> bool:
        """Serve until asked to stop. A round that an earlier process left open is finished first.

        Args:
            once: take what is on the topic now, run a round if enough is new (or it is asked for), and end.

        Returns:
            False when the last round did not publish: its judge was refused.
        """
        store = Store(self.data / "store.sqlite")
        good = True
        try:
            while not asked.stop.is_set():
                try:
                    good = self._turn(store, asked, once=once)
                except BrokerUnavailable as error:
                    if once:
                        raise
                    self.console.print(f"waiting for Kafka: {error}", style="red", markup=False)
                    asked.stop.wait(BACKOFF_S)
                if once:
                    break
        except Stopped:
            self.console.print("stopped within a round; the next start goes on with it")
        finally:
            store.close()
        return good

    def _turn(self, store: Store, asked: Asked, *, once: bool) -> bool:
        """Gather until a round is due, and run it; or finish the one that was left open."""
        number = store.pending()
        if number is None:
            self._gather(store, asked, once=once)
            if asked.stop.is_set() or not self._due(store, asked):
                return True
            asked.train.clear()
            number = store.open_round()
        return self._round(store, number)

    def _gather(self, store: Store, asked: Asked, *, once: bool) -> None:
        """Store what comes, committing what is stored, until a round is due or it is time to stop.

        A round on command, and the only one of `once`, is due when the topic has been read to its end.
        """
        with self.reader() as reader:
            while not asked.stop.is_set():
                batch = reader.poll(POLL_S)
                if batch:
                    taken = store.add(batch)
                    reader.commit()  # not before: what is committed is never delivered again
                    self.console.print(f"{taken}; {store.fresh()} wait for a round", markup=False)
                at_end = once or asked.train.is_set()
                if at_end and not batch and reader.behind() == 0:
                    if store.fresh() == 0 and not once:
                        self.console.print("asked to train, and nothing is new")
                        asked.train.clear()
                        continue
                    return
                if not at_end and store.fresh() >= self.least:
                    return

    def _due(self, store: Store, asked: Asked) -> bool:
        fresh = store.fresh()
        return fresh >= self.least or (asked.train.is_set() and fresh > 0)

    def _round(self, store: Store, number: int) -> bool:
        making = self.making
        material = Material(
            number=number,
            sides=sides_of(store.examples(), making.shares),
            digest=store.digest(),
            current=self._kept(store.current()),
            best=self._kept(store.best()),
        )
        folder = self.data / "rounds" / f"{number:04d}"
        result = run_round(making, material, folder, self.console)
        if result.evidence:
            store.crown(number, result.candidate, result.evidence)
        store.close_round(number, PUBLISHED if result.location else REFUSED, result.candidate)
        if result.location:
            self.console.print(f"round {number}: published {result.location}", markup=False)
        for reason in result.reasons:
            self.console.print(
                f"round {number}: not published: {reason}", style="red", markup=False
            )
        return bool(result.location)

    def _kept(self, judge: Path | None) -> Path:
        """The judge's folder; the base's before there is one, or when somebody has removed it."""
        if judge is None:
            return self.making.base
        if not (judge / NAME).exists():
            self.console.print(
                f"{judge} is gone: the base {self.making.base} takes its place", markup=False
            )
            return self.making.base
        return judge
