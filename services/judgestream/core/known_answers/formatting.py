"""The same words with headings, bullets, bold and emoji: the rich content of arXiv 2402.10669."""

import random
import re

from judgestream.core.known_answers.base import Effect, KnownAnswer, Pairing
from judgestream.core.known_answers.texts import is_structured, sentences, without_markup, words

LEAST, MOST = 2, 40
"""Sentences of an answer that can be laid out as bullets."""
BOLD_FROM = 8
"""Letters of a word that is set in bold."""
EMOJI = ("\u2705", "\u2728", "\U0001f4a1", "\U0001f4cc", "\U0001f680", "\U0001f31f")
_LONG = re.compile(rf"(?<![\w/.@-])[A-Za-z]{{{BOLD_FROM},}}(?![\w/.@-])")


def formatted(answer: str, draw: random.Random, _: str) -> str | None:
    """The first sentence as a heading and the others as bullets, each with an emoji, long words in bold."""
    found = sentences(answer)
    if is_structured(answer) or not LEAST <= len(found) <= MOST:
        return None
    marks = [draw.choice(EMOJI) for _ in found]
    first, *rest = (without_markup(one) for one in found)
    lines = [f"## {marks[0]} {first}", ""]
    for mark, sentence in zip(marks[1:], rest, strict=True):
        lines.append(f"- {mark} {_LONG.sub(lambda match: f'**{match[0]}**', sentence)}")
    return "\n".join(lines)


def same_words(answer: str, changed: str) -> bool:
    """The words are the same in the same order, and something else is not."""
    return answer != changed and words(without_markup(changed)) == words(without_markup(answer))


RICH_FORMATTING = KnownAnswer(
    name="rich-formatting",
    meaning="the same words with a heading, bullets, bold and emoji",
    effect=Effect.AGNOSTIC,
    pairing=Pairing.RIVAL,
    rewrite=formatted,
    holds=same_words,
)
