"""The gRPC service `Rollouts`: the state for everybody, moves by the instance that leads."""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import grpc
from pydantic import SecretStr

from judgestream.adapters.rollout.calls import HEADER
from judgestream.apps.rollout.access import certificate_names, may_change, may_move
from judgestream.apps.rollout.checkpoints import Announced
from judgestream.apps.rollout.desk import Desk
from judgestream.apps.rollout.log import RolloutLog
from judgestream.apps.rollout.requests import Found, Malformed, checked_action, move_of
from judgestream.contracts.codecs.rollouts import rollout_to_message
from judgestream.core import limits
from judgestream.core.errors import (
    ConfigurationError,
    JudgestreamError,
    OversizeRecord,
    RetryableError,
)
from judgestream.core.limits import EARLIEST
from judgestream.core.masking import masked
from judgestream.core.rollout.moves import IllegalMove
from judgestream.core.rollout.state import Action
from judgestream.evaluation.gate import Policy
from judgestream.v1 import rollout_pb2 as pb
from judgestream.v1.rollout_pb2_grpc import RolloutsServicer

log = logging.getLogger(__name__)

MOST_WATCHERS = 64
MOST_AVAILABLE = 100
"""Published checkpoints that are shown, the newest. Any other one can be staged by its name."""

WATCH_PAUSE_S = 0.1
"""Between two states of one watcher: what changes in between comes together."""

PROOF = " (certificate "
"""In front of the name of the caller's certificate, in the record of a move."""

Context = Any  # grpc.aio.ServicerContext, whose parameters have no useful types
Find = Callable[[pb.MoveRequest], Awaitable[Found]]


class RolloutApi(RolloutsServicer):
    """Answers calls.

    find        resolves what is to be staged; raises ConfigurationError
    not_leading gives the reason why this instance makes no moves; "" while it does
    progress    gives what is being done with each release
    unload      asks for a release to be unloaded; raises IllegalMove
    movers      names in the certificates of those who may make moves; empty = every caller
    available   gives the published checkpoints that can be staged
    """

    def __init__(
        self,
        journal: RolloutLog,
        desk: Desk,
        policy: Policy,
        find: Find,
        *,
        not_leading: Callable[[], str],
        progress: Callable[[], Mapping[str, str]],
        available: Callable[[], Sequence[Announced]],
        unload: Callable[[str, str], None],
        key: SecretStr,
        movers: frozenset[str] = frozenset(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._desk = desk
        self._policy = policy
        self._find = find
        self._not_leading = not_leading
        self._progress = progress
        self._available = available
        self._unload = unload
        self._key = key
        self._movers = movers
        self._now = now
        self._watchers = 0
        self.closing = asyncio.Event()

    async def Get(self, request: pb.GetRequest, context: Context) -> pb.Rollout:  # noqa: N802
        await self._require_readable(context)
        return self._shown()

    async def Watch(  # noqa: N802
        self, request: pb.WatchRequest, context: Context
    ) -> AsyncIterator[pb.Rollout]:
        await self._require_readable(context)
        if self._watchers >= MOST_WATCHERS:
            await context.abort(
                grpc.StatusCode.RESOURCE_EXHAUSTED, f"{MOST_WATCHERS} callers watch already"
            )
        self._watchers += 1
        sent = b""
        try:
            async for _ in self._journal.changes():
                message = self._shown()
                encoded = message.SerializeToString(deterministic=True)
                if encoded != sent:
                    sent = encoded
                    yield message
                if self.closing.is_set():
                    return
                await asyncio.sleep(WATCH_PAUSE_S)
        finally:
            self._watchers -= 1

    async def Move(self, request: pb.MoveRequest, context: Context) -> pb.Rollout:  # noqa: N802
        if not may_change(context.invocation_metadata(), self._key):
            await context.abort(
                grpc.StatusCode.UNAUTHENTICATED,
                f"a move needs the key to Triton's model control in the metadata {HEADER}: set"
                " JUDGESTREAM_TRITON__CONTROL_KEY to the key of the rollout service",
            )
        names = certificate_names(context.auth_context())
        if not may_move(names, self._movers):
            shown = limits.quoted(", ".join(names)) if names else "none"
            await context.abort(
                grpc.StatusCode.PERMISSION_DENIED,
                f"rollout.movers does not allow moves by the certificate of {shown}: use the certificate of a"
                " mover, or add one of these names to rollout.movers of the service",
            )
        try:
            action = checked_action(request)
            if PROOF.strip() in request.by:
                raise Malformed(f"by contains {PROOF.strip()!r}, which only this service adds")
            request.by = signed(request.by, names)
            if refused := self._not_leading():
                await context.abort(grpc.StatusCode.UNAVAILABLE, refused)
            if action is Action.PREPARE:
                self._unload(request.release, request.by)
                return self._shown()
            found = await self._find(request) if action is Action.STAGE else None
            await self._desk.moved(
                lambda state: move_of(request, state, self._policy, now=self._now(), found=found)
            )
        except (Malformed, JudgestreamError) as exc:
            await _refuse(context, exc)
        return self._shown()

    def close(self) -> None:
        """End the calls that watch."""
        self.closing.set()
        self._journal.notify()

    def _shown(self) -> pb.Rollout:
        """The state, with what only this service knows, and without secrets of URLs: everybody may ask."""
        journal = self._journal
        state = journal.state
        message = rollout_to_message(
            state,
            epoch=journal.fence.epoch,
            instance=journal.fence.instance,
            published_at=journal.published_at or EARLIEST,
        )
        progress = self._progress()
        for placed in message.releases:
            placed.progress = progress.get(placed.release, "")
            placed.location = masked(placed.location)
        new = [one for one in self._available() if one.release not in state.releases]
        message.available.extend(one.message for one in reversed(new[-MOST_AVAILABLE:]))
        for checkpoint in message.available:  # copies
            checkpoint.location = masked(checkpoint.location)
        return message

    async def _require_readable(self, context: Context) -> None:
        if self._journal.problem:
            await context.abort(
                grpc.StatusCode.UNAVAILABLE,
                f"the state of the rollout is not known: {self._journal.problem}",
            )


def signed(by: str, names: Sequence[str]) -> str:
    """Who makes a move, for its record: what the caller says, and the first name of its certificate."""
    if not names:
        return by.strip()
    proof = f"{PROOF}{limits.cut(names[0], limits.ID // 2)})"
    return limits.cut(by.strip(), limits.ID - len(proof.encode())) + proof


async def _refuse(context: Context, error: Exception) -> NoReturn:
    """End the call with the status of the error."""
    codes: Sequence[tuple[type[Exception], grpc.StatusCode]] = (
        (Malformed, grpc.StatusCode.INVALID_ARGUMENT),
        (IllegalMove, grpc.StatusCode.FAILED_PRECONDITION),
        (ConfigurationError, grpc.StatusCode.INVALID_ARGUMENT),
        (OversizeRecord, grpc.StatusCode.RESOURCE_EXHAUSTED),
        (RetryableError, grpc.StatusCode.UNAVAILABLE),
    )
    code = next((code for kind, code in codes if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
    await context.abort(code, str(error))
    raise AssertionError("abort raises")
