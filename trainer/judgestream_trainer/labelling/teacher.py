"""Who is asked: an OpenAI-compatible endpoint, or one of our own releases."""

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

TOGETHER = 64
"""Prompts that our own engine is given at once: enough to fill its rows and to write side by side."""


class Teacher(Protocol):
    """`read` gives a reply or an error per prompt, in order. A ConfigurationError among them is not about its
    prompt: nothing will be answered until it is mended.

    identity     what names the teacher and changes what it says; enters the journal's keys
    concurrency  calls of `read` under way at once; batch: prompts in each
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
    """An endpoint, with the judge that asks it."""

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
        return [_to_act_on(found) for found in await self.judge.read(prompts)]

    async def close(self) -> None:
        await self.judge.close()


@dataclass(frozen=True, kw_only=True)
class ReleaseTeacher:
    """One of our own checkpoints, read by the engine in a thread of its own.

    wanted   asked between rows and tokens; once it says no, what is under way is left
    """

    judge: "Judge"
    template: Template
    wanted: Callable[[], bool]
    concurrency: int = 1
    batch: int = TOGETHER

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
        found = dict(self.judge.stream(prompts, lambda at: self.wanted()))
        left = JudgeUnavailable("the judge was stopped before it came to this prompt")
        return [found.get(at, left) for at in range(len(prompts))]

    async def close(self) -> None:
        """Nothing to let go of."""


def endpoint_teacher(endpoint: Endpoint, template_id: str) -> EndpointTeacher:
    """Raises ConfigurationError: the URL is none or holds a key, or no such template."""
    check_base_url(endpoint.url)
    return EndpointTeacher(judge=ChatJudge(endpoint), template=template(template_id))


def release_teacher(folder: Path, *, device: str, wanted: Callable[[], bool]) -> ReleaseTeacher:
    """Raises ConfigurationError: the folder is no judge that the engine reads."""
    from judgestream.engine.checkpoint import (
        load,  # torch: seconds, which an endpoint does not need
    )
    from judgestream.engine.judge import Judge

    judge = Judge(load(folder, device=device))
    template_id = judge.checkpoint.manifest.template_id
    return ReleaseTeacher(judge=judge, template=template(template_id), wanted=wanted)


def _to_act_on(found: Reply | JudgestreamError) -> Reply | JudgestreamError:
    """What an endpoint will refuse of every prompt ends the asking, with how to fix it."""
    if isinstance(found, ReleaseError):
        return ConfigurationError(f"{found}: {_FIXES.get(type(found), 'check URL and model')}")
    return found


_FIXES: Mapping[type[JudgestreamError], str] = {
    KeyRefused: "put a valid key that may use this model into the environment and name the variable with"
    " --key-variable, or use another key or model",
    QuotaExhausted: "top the account up, or use another key",
    ModelUnknown: "give the base URL up to and with /v1, and the model's name as the endpoint lists it",
}
