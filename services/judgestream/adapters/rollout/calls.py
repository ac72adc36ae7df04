"""Calls of the rollout service: its state, its changes, and moves."""

from collections.abc import Iterator, Mapping
from typing import Any, NoReturn, Self

import grpc
from pydantic import SecretStr

from judgestream.adapters.rollout.errors import RolloutRefused, RolloutUnavailable
from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.tls.handshake import NO_CONNECTION, tls_problem
from judgestream.core.errors import JudgestreamError
from judgestream.settings import Settings
from judgestream.v1 import rollout_pb2 as pb
from judgestream.v1.rollout_pb2_grpc import RolloutsStub

HEADER = "judgestream-control"
"""Metadata of a call that carries the key of `triton.control_key`, which moves need."""

GET_S = 5.0
MOVE_S = 120.0
"""Staging a folder without a manifest reads all of its files first."""

MAX_STATE_BYTES = 16 << 20

PLAINTEXT = ClientTls(group="rollout")
"""The rollout service without TLS."""


class RolloutCalls:
    """A connection to the service. Every method raises RolloutUnavailable or RolloutRefused."""

    def __init__(self, address: str, key: SecretStr, tls: ClientTls = PLAINTEXT) -> None:
        """Raises ConfigurationError: a file of `tls` is missing or wrong."""
        self._address = address
        self._tls = tls
        secret = key.get_secret_value()
        self._metadata = ((HEADER, secret),) if secret else ()
        options = [("grpc.max_receive_message_length", MAX_STATE_BYTES), *tls.options]
        credentials = tls.credentials()
        self._channel = (
            grpc.insecure_channel(address, options=options)
            if credentials is None
            else grpc.secure_channel(address, credentials, options=options)
        )
        self._stub: Any = RolloutsStub(self._channel)  # type: ignore[no-untyped-call]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        return cls(
            settings.rollout.grpc,
            settings.triton.control_key,
            tls=ClientTls.of(settings.rollout, "rollout"),
        )

    def get(self, *, timeout_s: float = GET_S) -> pb.Rollout:
        """The state now, with what the service is doing."""
        try:
            state: pb.Rollout = self._stub.Get(pb.GetRequest(), timeout=timeout_s)
            return state
        except grpc.RpcError as exc:
            self._raise(exc)

    def watch(self, *, timeout_s: float) -> Iterator[pb.Rollout]:
        """The state now, and after every change, until the time is up."""
        try:
            yield from self._stub.Watch(pb.WatchRequest(), timeout=timeout_s)
        except grpc.RpcError as exc:
            if exc.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:
                self._raise(exc)

    def move(
        self,
        action: str,
        *,
        by: str,
        release: str = "",
        location: str = "",
        share: float = 0.0,
        where: Mapping[str, str] | None = None,
        why: str = "",
        force: bool = False,
    ) -> pb.Rollout:
        """Make a move. Returns the state after it. Fields as on `MoveRequest`."""
        request = pb.MoveRequest(
            action=action,
            release=release,
            location=location,
            share=share,
            where=where or {},
            by=by,
            why=why,
            force=force,
        )
        try:
            state: pb.Rollout = self._stub.Move(request, timeout=MOVE_S, metadata=self._metadata)
            return state
        except grpc.RpcError as exc:
            self._raise(exc)

    def close(self) -> None:
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _raise(self, error: Any) -> NoReturn:
        code, details = error.code(), error.details() or ""
        problem = ""
        if code is grpc.StatusCode.UNAVAILABLE and any(part in details for part in NO_CONNECTION):
            problem = tls_problem(self._address, self._tls)
        raise _error(code, details, self._address, problem) from error


def _error(code: grpc.StatusCode, details: str, address: str, tls_problem: str) -> JudgestreamError:
    refused = (
        grpc.StatusCode.FAILED_PRECONDITION,
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    )
    if code in refused:
        return RolloutRefused(details)
    if tls_problem:
        return RolloutUnavailable(
            f"no connection to the rollout service at {address}: {tls_problem}"
        )
    if code is grpc.StatusCode.UNAVAILABLE and not any(part in details for part in NO_CONNECTION):
        return RolloutUnavailable(f"the rollout service at {address}: {details}")
    return RolloutUnavailable(
        f"no rollout service answers at {address} ({code.name.lower()}): start the local stack (`judgestream"
        " up`) or `judgestream rollout serve`, or set JUDGESTREAM_ROLLOUT__GRPC"
    )
