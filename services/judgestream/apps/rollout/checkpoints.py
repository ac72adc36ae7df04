"""Published checkpoints: `judge.checkpoints.v1`, read from its beginning without a group."""

import asyncio
import logging
import re
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from judgestream.adapters.kafka.reading import TopicReader
from judgestream.contracts.topics import CHECKPOINTS
from judgestream.contracts.unknown_fields import check_known
from judgestream.core.errors import BrokerUnavailable, JudgestreamError, UndecodableRecord
from judgestream.core.limits import KIB, quoted
from judgestream.settings import Kafka
from judgestream.v1.rollout_pb2 import Checkpoint

log = logging.getLogger(__name__)

POLL_S = 0.3
MOST_KEPT = 1000
"""Checkpoints that are listed as available, the newest."""

MAX_LOCATION = 4096
LARGEST = 16 * KIB
"""Bytes of a record. A real one has less than 1 KiB; `MOST_KEPT` are kept, and the API shows some."""

_DIGEST = re.compile(r"[0-9a-f]{64}")
_FAMILY = re.compile(r"[a-z][a-z0-9_]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Announced:
    """A published checkpoint. `release` is the name that it is installed under."""

    release: str
    offset: int
    message: Checkpoint


def release_name(checkpoint: Checkpoint) -> str:
    """The name under which `release install` installs the checkpoint.

    Raises:
        ValueError: the record is not that of a checkpoint that can be installed; the message says why.
    """
    if checkpoint.ByteSize() > LARGEST:
        raise ValueError(f"the record has {checkpoint.ByteSize()} bytes, more than {LARGEST}")
    if not _DIGEST.fullmatch(checkpoint.digest):
        raise ValueError(f"digest {quoted(checkpoint.digest)} is not a SHA-256")
    if not _FAMILY.fullmatch(checkpoint.family):
        raise ValueError(f"family {quoted(checkpoint.family)} is not a name")
    if not checkpoint.location or len(checkpoint.location) > MAX_LOCATION:
        raise ValueError(f"location {quoted(checkpoint.location)} is empty or too long")
    return f"{checkpoint.family}-{checkpoint.digest[:8]}"


class CheckpointFeed:
    """Reads the topic in its own thread. `start`, then `stop`.

    by_release   release -> its newest announcement, in the order of the topic
    end          offset behind the last record that was read
    """

    def __init__(self, settings: Kafka, changed: Callable[[], None]) -> None:
        """`changed` is called in the event loop after new announcements."""
        self._settings = settings
        self._changed = changed
        self._stopped = threading.Event()
        self._thread: asyncio.Task[None] | None = None
        self.by_release: dict[str, Announced] = {}
        self.end = 0

    async def start(self) -> None:
        """Read all present records, then follow the topic.

        Raises:
            BrokerUnavailable, ConfigurationError: the topic cannot be read.
        """
        loop = asyncio.get_running_loop()
        reader = await asyncio.to_thread(
            TopicReader, self._settings, CHECKPOINTS, Checkpoint, client_id="judgestream-rollout"
        )
        present: list[Announced] = []

        def read_present() -> int:
            end = reader.end()
            for incoming in reader.read({}, until=end, deadline_s=60.0):
                if (one := announced(incoming.message, incoming.record.offset)) is not None:
                    present.append(one)
            position = reader.position()
            if any(position.get(number, 0) < offset for number, offset in end.items()):
                raise BrokerUnavailable(f"{CHECKPOINTS.name} could not be read within 60 s")
            return max(end.values(), default=0)

        try:
            end = await asyncio.to_thread(read_present)
        except BaseException:
            await asyncio.to_thread(reader.close)
            raise
        self._take(present, end)
        self._thread = asyncio.create_task(asyncio.to_thread(self._read, reader, loop))

    async def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            await self._thread

    def after(self, offset: int) -> list[Announced]:
        """The announcements from this offset on, in their order."""
        found = (one for one in self.by_release.values() if one.offset >= offset)
        return sorted(found, key=lambda one: one.offset)

    def _read(self, reader: "TopicReader[Checkpoint]", loop: asyncio.AbstractEventLoop) -> None:
        with suppress(RuntimeError):  # the loop is closed
            while not self._stopped.is_set():
                try:
                    batch = reader.poll(POLL_S)
                except JudgestreamError as exc:
                    log.warning("%s cannot be read, will retry: %s", CHECKPOINTS.name, exc)
                    self._stopped.wait(1.0)
                    continue
                if batch:
                    found = [announced(one.message, one.record.offset) for one in batch]
                    present = [one for one in found if one is not None]
                    end = max(one.record.offset for one in batch) + 1
                    loop.call_soon_threadsafe(self._take, present, end)
        reader.close()

    def _take(self, present: list[Announced], end: int) -> None:
        for one in present:
            self.by_release.pop(one.release, None)
            self.by_release[one.release] = one
        for name in list(self.by_release)[:-MOST_KEPT]:
            del self.by_release[name]
        self.end = max(self.end, end)
        self._changed()


def announced(message: Checkpoint | UndecodableRecord, offset: int) -> Announced | None:
    """The announcement of a record; None, with a line in the log, where it cannot be used."""
    try:
        if isinstance(message, UndecodableRecord):
            raise ValueError(str(message))
        check_known(message)
        return Announced(release=release_name(message), offset=offset, message=message)
    except ValueError as exc:
        log.warning("%s offset %d is left out: %s", CHECKPOINTS.name, offset, exc)
        return None
