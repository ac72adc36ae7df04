"""Prompts for the teacher: each pair without its reference, and with it where there is one."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Template
from judgestream_trainer.labelling.pairing import Pair


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptBuilder:
    """Builds prompts from pairs for one teacher.

    max_tokens  limit on an explanation
    identity    identifies the teacher; part of the keys and of the manifest
    """

    template: Template
    max_tokens: int
    identity: Mapping[str, str | int]

    def prompt(self, pending: "PendingPrompt") -> Prompt:
        form = self.template.forms["pair"]
        question = pending.pair.question
        return Prompt(
            text=form.render(
                question.body,
                [answer.text for answer in pending.pair.answers],
                question.reference if pending.informed else None,
            ),
            grammar=form.grammar,
            max_tokens=self.max_tokens,
        )

    def key(self, pending: "PendingPrompt") -> str:
        """The prompt's key in the journal: 64 hex digits.

        It changes with the teacher, the template and the limit on the explanation.
        """
        parts = [sorted(self.identity.items()), self.max_tokens, self.prompt(pending).text]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingPrompt:
    """A prompt to be rendered when it is sent: all prompts of a large build would not fit in memory."""

    pair: Pair
    informed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyedPair:
    """A pair with the keys of its prompts; `informed` is None without a reference."""

    pair: Pair
    blind: str
    informed: str | None

    def prompts(self) -> Iterator[tuple[str, PendingPrompt]]:
        yield self.blind, PendingPrompt(pair=self.pair, informed=False)
        if self.informed is not None:
            yield self.informed, PendingPrompt(pair=self.pair, informed=True)


def key_pairs(pairs: Sequence[Pair], builder: PromptBuilder) -> list[KeyedPair]:
    return [
        KeyedPair(
            pair=pair,
            blind=builder.key(PendingPrompt(pair=pair, informed=False)),
            informed=builder.key(PendingPrompt(pair=pair, informed=True))
            if pair.question.reference is not None
            else None,
        )
        for pair in pairs
    ]
