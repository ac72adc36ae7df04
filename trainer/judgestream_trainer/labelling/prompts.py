"""What the teacher is asked: each pair without its reference, and with it where there is one."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Template
from judgestream_trainer.labelling.pairing import Pair


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptBuilder:
    """How pairs become prompts: the teacher's template, the explanation's length, and who is asked.

    identity   what names the teacher; it enters the keys and the manifest
    """

    template: Template
    max_tokens: int
    identity: Mapping[str, str | int]

    def prompt(self, ask: "PendingPrompt") -> Prompt:
        form = self.template.forms["pair"]
        question = ask.pair.question
        return Prompt(
            text=form.render(
                question.body,
                [answer.text for answer in ask.pair.answers],
                question.reference if ask.informed else None,
            ),
            grammar=form.grammar,
            max_tokens=self.max_tokens,
        )

    def key(self, ask: "PendingPrompt") -> str:
        """64 hex digits that name this question to this teacher: what the journal is searched by.

        Another teacher, template or length of the explanation is another question.
        """
        parts = [sorted(self.identity.items()), self.max_tokens, self.prompt(ask).text]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class PendingPrompt:
    """One prompt to come. It is rendered when it is needed: a large build's prompts do not fit in memory."""

    pair: Pair
    informed: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class KeyedPair:
    """A pair with the keys of its judgements; `informed` is None without a reference."""

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
