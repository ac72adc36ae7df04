"""Teachers: an OpenAI-compatible endpoint, or one of our own checkpoints."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from judgestream.backends.chat.base_url import check_base_url
from judgestream.backends.chat.completions import ChatJudge
from judgestream.backends.chat.endpoint import Endpoint
from judgestream.core.errors import (
    ConfigurationError,
    JudgestreamError,
    JudgeUnavailable,
    KeyRefused,
    ModelUnknown,
    QuotaExhausted,
    ReleaseError,
)
from judgestream.core.prompt import Prompt
from judgestream.core.templates import template
from judgestream.core.templates.base import Template
from judgestream.core.types import Reply

if TYPE_CHECKING:
    from judgestream.engine.judge import Judge

BATCH = 64
"""Prompts per call of our own engine: enough to fill its rows and to decode in parallel."""


class Teacher(Protocol):
    """`read` returns a reply or an error per prompt, in order. A ConfigurationError concerns every prompt.

    identity     identifies the teacher and everything that changes its replies; part of the journal's keys
    concurrency  maximum number of concurrent calls of `read`
    batch        maximum number of prompts per call
    """

    @property
    def identity(self) -> Mapping[str, str | int]: ...
    @property
    def template(self) -> Template: ...
    @property
    def concurrency(self) -> int: ...
    @property
    def batch(self) -> int: ...

    async def read(self, prompts: Sequence[Prompt]) -> list[Reply | JudgestreamError]: ...
    async def close(self) -> None: ...


@dataclass(frozen=True, kw_only=True)
class EndpointTeacher:
    """An endpoint, with its client."""

    judge: ChatJudge
    template: Template
    batch: int = 1

    @property
    def identity(self) -> Mapping[str, str | int]:
        endpoint = self.judge.endpoint
        return {
            "kind": "endpoint",
            "url": endpoint.url.rstrip("/"),
            "model": endpoint.model,
            "template": self.template.id,
        }

    @property
    def concurrency(self) -> int:
        return self.judge.endpoint.concurrency

    async def read(self, prompts: Sequence[Prompt]) -> list[Reply | JudgestreamError]:
        return [_with_fix(reply) for reply in await self.judge.read(prompts)]

    async def close(self) -> None:
        await self.judge.close()


@dataclass(frozen=True, kw_only=True)
class ReleaseTeacher:
    """One of our own checkpoints, run by the engine in a separate thread.

    wanted   checked between rows and tokens; once it returns False, the remaining prompts are abandoned
    """

    judge: "Judge"
    template: Template
    wanted: Callable[[], bool]
    concurrency: int = 1
    batch: int = BATCH

    @property
    def identity(self) -> Mapping[str, str | int]:
        manifest = self.judge.checkpoint.manifest
        return {
            "kind": "release",
            "name": manifest.name,
            "checkpoint_digest": manifest.digest,
            "template": self.template.id,
        }

    async def read(self, prompts: Sequence[Prompt]) -> list[Reply | JudgestreamError]:
        return await asyncio.to_thread(self._read, prompts)

    def _read(self, prompts: Sequence[Prompt]) -> list[Reply | JudgestreamError]:
        replies = dict(self.judge.stream(prompts, lambda index: self.wanted()))
        abandoned = JudgeUnavailable("the judge was stopped before it answered this prompt")
        return [replies.get(index, abandoned) for index in range(len(prompts))]

    async def close(self) -> None:
        """Nothing to close."""


def endpoint_teacher(endpoint: Endpoint, template_id: str) -> EndpointTeacher:
    """Raises ConfigurationError: the URL is invalid or holds a key, or the template is unknown."""
    check_base_url(endpoint.url)
    return EndpointTeacher(judge=ChatJudge(endpoint), template=template(template_id))


def release_teacher(folder: Path, *, device: str, wanted: Callable[[], bool]) -> ReleaseTeacher:
    """Raises ConfigurationError: the directory is not a judge that the engine can load."""
    # here, because importing torch takes seconds that an endpoint does not need
    from judgestream.engine.checkpoint import load
    from judgestream.engine.judge import Judge

    judge = Judge(load(folder, device=device))
    template_id = judge.checkpoint.manifest.template_id
    return ReleaseTeacher(judge=judge, template=template(template_id), wanted=wanted)


def _with_fix(reply: Reply | JudgestreamError) -> Reply | JudgestreamError:
    """An error that every prompt would get becomes a ConfigurationError with how to fix it."""
    if isinstance(reply, ReleaseError):
        return ConfigurationError(f"{reply}: {_FIXES.get(type(reply), 'check URL and model')}")
    return reply


_FIXES: Mapping[type[JudgestreamError], str] = {
    KeyRefused: "export a valid key that may use this model and name its variable with --key-variable, or use"
    " another key or model",
    QuotaExhausted: "add credit to the account, or use another key",
    ModelUnknown: "give the base URL up to and with /v1, and the model's name as the endpoint lists it",
}
