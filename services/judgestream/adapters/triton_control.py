"""Triton's control plane: the only code of ours that loads and unloads models.

The local stack starts Triton with its state-changing endpoints restricted (`RESTRICTED`): they open for
calls that carry the key in `HEADER`. Health, metadata, configuration, statistics and inference stay open,
and they are all that a judging worker needs.
"""

import asyncio
import re
from collections.abc import Awaitable
from dataclasses import dataclass
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

from pydantic import SecretStr
from tritonclient.grpc.aio import InferenceServerClient
from tritonclient.utils import InferenceServerException

from judgestream.core.errors import ConfigurationError, JudgeDeadlineExceeded, JudgeUnavailable

HEADER = "judgestream-control"
"""What carries the key over HTTP; over gRPC Triton puts `GRPC_PREFIX` in front."""

GRPC_PREFIX = "triton-grpc-protocol-"

RESTRICTED = ("model-repository", "shared-memory", "trace", "logging")
"""Triton's groups of endpoints that change the server or read what is not a client's."""

CALL_S = 10.0
LOAD_S = 600.0
"""A large judge on a cold disk takes minutes to load."""

_POLL_S = 0.1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelState:
    """One model of the repository as Triton sees it.

    state   READY, UNAVAILABLE, LOADING, UNLOADING, or "" for one that was never loaded
    reason  why it is not available, in Triton's words; "" if there is nothing to say
    """

    name: str
    version: str = ""
    state: str = ""
    reason: str = ""

    @property
    def ready(self) -> bool:
        return self.state == "READY"


def restrictions(key: SecretStr) -> tuple[str, ...]:
    """The arguments by which `tritonserver` asks for this key on gRPC and HTTP; none for an empty key."""
    if not key.get_secret_value():
        return ()
    rule = f"{','.join(RESTRICTED)}:{HEADER}={key.get_secret_value()}"
    return (f"--grpc-restricted-protocol={rule}", f"--http-restricted-api={rule}")


class TritonControl:
    """Load, unload and list the models of one Triton. Safe to use from many tasks of one event loop."""

    def __init__(self, address: str, key: SecretStr) -> None:
        """
        Args:
            address: host:port of Triton's gRPC.
            key: setting `triton.control_key`; empty for a server without restriction.
        """
        self.address = address
        self._client = InferenceServerClient(address)
        secret = key.get_secret_value()
        self._headers = {f"{GRPC_PREFIX}{HEADER}": secret} if secret else None

    async def load(self, name: str, *, timeout_s: float = LOAD_S) -> None:
        """Load the model as it lies in the repository, or load it anew if its files have changed.

        Never with overrides: what runs is what `release install` has written.

        Raises:
            ConfigurationError: there is no such model, it cannot be loaded (with Triton's reason), or the
                key is wrong.
            JudgeUnavailable, JudgeDeadlineExceeded: Triton does not answer, or not in time.
        """
        require_name(name)
        await self._call(
            f"load release {name}",
            self._client.load_model(name, headers=self._headers, client_timeout=timeout_s),
        )

    async def unload(self, name: str, *, timeout_s: float = 60.0) -> None:
        """Unload the model and wait until it is gone. One that is not loaded is not an error.

        Raises:
            ConfigurationError: the key is wrong.
            JudgeUnavailable, JudgeDeadlineExceeded: Triton does not answer, or the model is still there
                after `timeout_s`.
        """
        require_name(name)
        deadline = monotonic() + timeout_s
        await self._call(
            f"unload release {name}",
            self._client.unload_model(name, headers=self._headers, client_timeout=timeout_s),
        )
        while any(
            model.name == name and model.state in ("READY", "UNLOADING", "LOADING")
            for model in await self.index()
        ):
            if monotonic() > deadline:
                raise JudgeDeadlineExceeded(
                    f"release {name} is still being unloaded by Triton at {self.address} after"
                    f" {timeout_s:.0f} s: its requests do not end; see Triton's log"
                )
            await asyncio.sleep(_POLL_S)

    async def index(self) -> list[ModelState]:
        """Every model in the repository, loaded or not, by name.

        Raises:
            ConfigurationError: the key is wrong.
            JudgeUnavailable, JudgeDeadlineExceeded: Triton does not answer, or not in time.
        """
        found = await self._call(
            "list its models",
            self._client.get_model_repository_index(headers=self._headers, client_timeout=CALL_S),
        )
        return sorted(
            (
                ModelState(name=one.name, version=one.version, state=one.state, reason=one.reason)
                for one in found.models
            ),
            key=lambda model: (model.name, model.version),
        )

    async def close(self) -> None:
        await self._client.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _call(self, what: str, call: Awaitable[_Answer]) -> _Answer:
        """Triton's errors become ours, with what was wanted and where."""
        where = f"Triton at {self.address}"
        try:
            return await call
        except InferenceServerException as exc:
            status = (exc.status() or "").removeprefix("StatusCode.")
            text = exc.message() or str(exc)
            if "is restricted, expecting header" in text:
                raise ConfigurationError(
                    f"{where} refuses to {what} without its control key: set"
                    " JUDGESTREAM_TRITON__CONTROL_KEY to the key that it was started with"
                ) from exc
            message = f"{where} cannot {what}: {text}"
            if status == "DEADLINE_EXCEEDED":
                raise JudgeDeadlineExceeded(message) from exc
            if status in ("UNAVAILABLE", "CANCELLED", ""):
                raise JudgeUnavailable(message) from exc
            raise ConfigurationError(f"{message}; see Triton's log") from exc


def require_name(name: str) -> None:
    """Raise ConfigurationError unless the text can be the name of a model of ours: letters, digits, dots,
    hyphens and underscores, a letter or digit first, at most 128 characters."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name[:64]!r} is not the name of a release; `judgestream release list` shows them"
        )
