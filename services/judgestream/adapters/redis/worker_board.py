"""The worker board in Redis: the state of every worker, read by `status`, `doctor` and the rollout service.

It also keeps a second worker off a slot. Keys: `{prefix}:workers` is the set of names (`judging-0`),
`{prefix}:workers:<name>` one entry as JSON, which expires when its worker stops renewing it, and
`{prefix}:skip:<group>` the records to set aside by hand. Without Redis there is no board; workers run all the
same.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from judgestream.adapters.redis.connection import Connection
from judgestream.core.errors import StoreUnavailable
from judgestream.core.fleet.report import ServerReport
from judgestream.core.fleet.report import ServerState as FleetState

RENEW_S = 2.0
TTL_S = 10.0
SKIP_TTL_S = 30 * 86_400
MAX_SERVERS = 256
"""Triton servers of one entry that are read."""

Place = tuple[str, int, int]
"""Topic, partition, offset."""

WRITE = """
local held = redis.call('GET', KEYS[1])
if held then
  local read, entry = pcall(cjson.decode, held)
  if read and type(entry) == 'table' and entry['life'] ~= ARGV[1] and entry['life'] ~= ARGV[2] then
    return held
  end
end
redis.call('SET', KEYS[1], ARGV[3], 'PX', ARGV[4])
redis.call('SADD', KEYS[2], ARGV[5])
return false
"""


class NotAText(StoreUnavailable):
    """Redis answers with an error: there is another type of value under one of our keys."""


class WorkerState(StrEnum):
    STARTING = "starting"
    WORKING = "working"
    WAITING = "waiting"
    """For something that is expected to recover by itself, see `reason`."""
    PAUSED = "paused"
    """Until somebody acts, see `reason`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkerEntry:
    """The last state that a worker wrote.

    life         unique id of this start of the process
    pid_space    PID namespace of `pid`; 0 when unknown
    partitions   (topic, partition) assigned to it
    lag          records behind on its partitions; None until measured
    route        revision of the rollout whose route is in effect, 0 before the first; None if it has no route
    counts       since its start, by name: `set_aside`, `dead_letters`, `retries`
    servers      the Triton servers that it asks
    """

    kind: str
    slot: int
    host: str
    pid: int
    life: str
    started_at: datetime
    seen_at: datetime
    state: WorkerState
    reason: str = ""
    release: str = ""
    route: int | None = None
    pid_space: int = 0
    partitions: tuple[tuple[str, int], ...] = ()
    lag: int | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    servers: tuple[ServerReport, ...] = ()

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.slot}"

    def as_json(self) -> str:
        values = asdict(self)
        values["started_at"] = self.started_at.isoformat()
        values["seen_at"] = self.seen_at.isoformat()
        return json.dumps(values)


class WorkerBoard(Connection):
    """Synchronous, for use by one thread. Every method raises StoreUnavailable when Redis does not answer."""

    def __init__(self, redis: Redis, *, prefix: str) -> None:
        super().__init__(redis, prefix=prefix)
        self._names = f"{prefix}:workers"

    def workers(self) -> list[WorkerEntry]:
        """Every running worker, by kind and slot. Invalid entries are left out."""
        names = sorted(_text(name) for name in self._call(lambda r: r.smembers(self._names)))
        entries: list[WorkerEntry] = []
        for name in names:
            try:
                raw = self._call(lambda r, key=self._key(name): r.get(key))  # type: ignore[misc]
            except NotAText:
                continue
            if raw is None:
                self._call(lambda r, gone=name: r.srem(self._names, gone))  # type: ignore[misc]
                continue
            entry = _entry(raw)
            if entry is not None:
                entries.append(entry)
        return sorted(entries, key=lambda entry: (entry.kind, entry.slot))

    def write(self, entry: WorkerEntry, *, instead_of: str = "") -> WorkerEntry | None:
        """Write this entry, unless another running worker has its slot. Returns that worker's entry then.

        Args:
            instead_of: the `life` of an earlier worker that is known to be dead.
        """
        held = self._call(
            lambda r: r.eval(
                WRITE,
                2,
                self._key(entry.name),
                self._names,
                entry.life,
                instead_of or entry.life,
                entry.as_json(),
                int(TTL_S * 1000),
                entry.name,
            )
        )
        if held is None:
            return None
        other = _entry(held)
        if other is None:
            # an invalid value does not hold the slot
            self._call(lambda r: r.delete(self._key(entry.name)))
            return self.write(entry, instead_of=instead_of)
        return other

    def take_down(self, entry: WorkerEntry) -> None:
        """Free the slot of a worker that ends, if it still has it."""
        raw = self._call(lambda r: r.get(self._key(entry.name)))
        held = None if raw is None else _entry(raw)
        if held is not None and held.life == entry.life:
            self._call(lambda r: r.delete(self._key(entry.name)))

    def skip(self, group: str, place: Place) -> None:
        """Let the workers of a group set a record aside when they read it."""
        key, (topic, partition, offset) = self._skips(group), place
        self._call(lambda r: r.sadd(key, f"{topic}|{partition}|{offset}"))
        self._call(lambda r: r.expire(key, SKIP_TTL_S))

    def skips(self, group: str) -> frozenset[Place]:
        """The records that the workers of a group must set aside. Invalid members are left out."""
        places: set[Place] = set()
        for raw in self._call(lambda r: r.smembers(self._skips(group))):
            topic, _, rest = _text(raw).partition("|")
            partition, _, offset = rest.partition("|")
            if (
                partition.isdecimal()
                and offset.isdecimal()
                and max(map(len, (partition, offset))) < 20
            ):
                places.add((topic, int(partition), int(offset)))
        return frozenset(places)

    def skipped(self, group: str, place: Place) -> None:
        """Forget a record that has been set aside: a topic that is created again reuses its offset."""
        topic, partition, offset = place
        self._call(lambda r: r.srem(self._skips(group), f"{topic}|{partition}|{offset}"))

    def _skips(self, group: str) -> str:
        return f"{self._prefix}:skip:{group}"

    def _key(self, name: str) -> str:
        return f"{self._names}:{name}"

    def _call(self, command: Callable[[Redis], object]) -> Any:
        def answered(redis: Redis) -> object:
            try:
                return command(redis)
            except ResponseError as exc:
                if not str(exc).startswith("WRONGTYPE"):
                    raise
                raise NotAText(f"Redis: {exc}") from exc

        return super()._call(answered)


def _entry(raw: bytes | str) -> WorkerEntry | None:
    """None for an invalid entry: anybody may write to Redis."""
    try:
        values = json.loads(raw)
        return WorkerEntry(
            kind=str(values["kind"]),
            slot=int(values["slot"]),
            host=str(values["host"]),
            pid=int(values["pid"]),
            life=str(values["life"]),
            started_at=_time(values["started_at"]),
            seen_at=_time(values["seen_at"]),
            state=_state(values["state"]),
            reason=str(values.get("reason", "")),
            release=str(values.get("release", "")),
            route=None if values.get("route") is None else int(values["route"]),
            pid_space=int(values.get("pid_space", 0)),
            partitions=tuple((str(t), int(p)) for t, p in values.get("partitions", ())),
            lag=None if values.get("lag") is None else int(values["lag"]),
            counts={str(k): int(v) for k, v in dict(values.get("counts", {})).items()},
            servers=tuple(
                _server(one)
                for one in list(values.get("servers", ()))[:MAX_SERVERS]
                if one["state"] in list(FleetState)
            ),
        )
    except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return None


def _state(text: object) -> WorkerState:
    """A state that only a newer version knows is a wait: its worker holds its slot all the same."""
    if not isinstance(text, str):
        raise TypeError("a state is a text")
    return WorkerState(text) if text in list(WorkerState) else WorkerState.WAITING


def _server(values: Mapping[str, Any]) -> ServerReport:
    return ServerReport(
        address=str(values["address"]),
        state=FleetState(values["state"]),
        reason=str(values.get("reason", "")),
        in_flight=int(values.get("in_flight", 0)),
        releases={str(k): str(v) for k, v in dict(values.get("releases", {})).items()},
    )


def _time(text: str) -> datetime:
    time = datetime.fromisoformat(text)
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)


def _text(raw: bytes | str) -> str:
    return raw.decode(errors="replace") if isinstance(raw, bytes) else raw
