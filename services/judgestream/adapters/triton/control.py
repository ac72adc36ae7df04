"""The control plane of Triton: the only module that loads and unloads models.

The local stack starts Triton with its state-changing endpoints restricted (`RESTRICTED`): they accept only
calls that carry the key in `HEADER`. Health, metadata, configuration, statistics and inference stay open.
A judging worker needs nothing else.
"""

import asyncio
import re
import secrets
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from time import monotonic

from pydantic import SecretStr

from judgestream.adapters.tls.client import PLAINTEXT, ClientTls
from judgestream.adapters.triton.connection import Connection
from judgestream.adapters.triton.errors import control_call
from judgestream.core.errors import ConfigurationError, JudgeDeadlineExceeded

HEADER = "judgestream-control"
"""The header that carries the key over HTTP. Over gRPC its name starts with `GRPC_PREFIX`."""

GRPC_PREFIX = "triton-grpc-protocol-"

RESTRICTED = ("model-repository", "shared-memory", "trace", "logging")
"""Triton's groups of endpoints that change the server, or read what clients must not see."""

OPEN = ("inference", "metadata", "model-config", "statistics")
"""The other groups of endpoints, without health."""

CALL_S = 10.0
LOAD_S = 600.0
"""A large judge on a cold disk takes minutes to load."""

_POLL_S = 0.1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelState:
    """One model of the repository as Triton sees it.

    state   READY, UNAVAILABLE, LOADING, UNLOADING, or "" for a model that was never loaded
    reason  why it is not available, as Triton reports it; or ""
    """

    name: str
    version: str = ""
    state: str = ""
    reason: str = ""

    @property
    def ready(self) -> bool:
        return self.state == "READY"


def restrictions(key: SecretStr, *, tls: bool = False) -> tuple[str, ...]:
    """Arguments that make `tritonserver` require this key on gRPC and HTTP; none for an empty key.

    Args:
        tls: gRPC uses TLS. Triton's HTTP cannot, and would be a way around it, so it then answers nothing but
            health checks: all else needs a key that nobody has.
    """
    secret = key.get_secret_value()
    rule = f"{','.join(RESTRICTED)}:{HEADER}={secret}"
    on_grpc = (f"--grpc-restricted-protocol={rule}",) if secret else ()
    if tls:
        closed = ",".join((*RESTRICTED, *OPEN))
        return (*on_grpc, f"--http-restricted-api={closed}:{HEADER}={secrets.token_hex(32)}")
    return (*on_grpc, f"--http-restricted-api={rule}") if secret else ()


class TritonControl(AbstractAsyncContextManager["TritonControl"]):
    """Load, unload and list the models of one Triton. Safe to use from many tasks of one event loop."""

    def __init__(self, address: str, key: SecretStr, tls: ClientTls = PLAINTEXT) -> None:
        """
        Args:
            address: host:port of Triton's gRPC.
            key: setting `triton.control_key`; empty for a server without restriction.

        Raises:
            ConfigurationError: a file of `tls` is missing or wrong.
        """
        self.address = address
        self._connection = Connection(address, tls=tls)
        secret = key.get_secret_value()
        self._headers = {f"{GRPC_PREFIX}{HEADER}": secret} if secret else None

    async def load(self, name: str, *, timeout_s: float = LOAD_S) -> None:
        """Load the model as it is in the repository, or load it again if its files have changed.

        Never with overrides: what runs is what `release install` has written.

        Raises:
            ConfigurationError: there is no such model, it cannot be loaded (with Triton's reason), or the
                key is wrong.
            JudgeUnavailable, JudgeDeadlineExceeded: Triton does not answer, or not in time.
        """
        require_name(name)
        with control_call(f"load release {name}", self.address):
            async with self._connection.client() as client:
                await client.load_model(name, headers=self._headers, client_timeout=timeout_s)

    async def unload(self, name: str, *, timeout_s: float = 60.0) -> None:
        """Unload the model and wait until it is gone. A model that is not loaded is not an error.

        Raises:
            ConfigurationError: the key is wrong.
            JudgeUnavailable, JudgeDeadlineExceeded: Triton does not answer, or the model is still there
                after `timeout_s`.
        """
        require_name(name)
        deadline = monotonic() + timeout_s
        with control_call(f"unload release {name}", self.address):
            async with self._connection.client() as client:
                await client.unload_model(name, headers=self._headers, client_timeout=timeout_s)
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
        with control_call("list its models", self.address):
            async with self._connection.client() as client:
                index = await client.get_model_repository_index(
                    headers=self._headers, client_timeout=CALL_S
                )
        models = (
            ModelState(
                name=model.name, version=model.version, state=model.state, reason=model.reason
            )
            for model in index.models
        )
        return sorted(models, key=lambda model: (model.name, model.version))

    async def close(self) -> None:
        await self._connection.close()

    async def __aexit__(self, *_: object) -> None:
        await self.close()


def require_name(name: str) -> None:
    """Raise ConfigurationError unless the text is a valid release name: letters, digits, dots, hyphens and
    underscores, a letter or digit first, at most 128 characters."""
    if not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{name[:64]!r} is not the name of a release; `judgestream release list` shows them"
        )
