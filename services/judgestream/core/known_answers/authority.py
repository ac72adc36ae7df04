"""A source that does not exist: the fake reference of arXiv 2402.10669."""

import random
import re

from judgestream.core.known_answers.base import Effect, KnownAnswer, Pairing
from judgestream.core.known_answers.texts import is_latin

AUTHORS = ("Halvorsen", "Okonjo", "Brandvik", "Castellane", "Mirzoyan", "Tarrington", "Uehling")
TITLES = (
    "A Systematic Account of the Evidence",
    "Findings of a Longitudinal Survey",
    "A Unified Treatment",
    "Results of an International Comparison",
)
VENUES = (
    "Annals of Applied Enquiry",
    "Proceedings of the Royal Institute of Methods",
    "Quarterly Review of General Studies",
)
MARK = " [1]"
_BLOCK = re.compile(r"\n\nReference:\n\[1\] [^\n]+\. https://journal\.example\.org/\d+\Z")


def cited(answer: str, draw: random.Random, _: str) -> str | None:
    """The answer with a mark behind it and an invented source below."""
    if MARK in answer or not is_latin(answer):
        return None
    first, second = draw.sample(AUTHORS, 2)
    source = (
        f"{first}, {draw.choice('ABCDEFGHJKLM')}. and {second}, {draw.choice('NPRSTVW')}."
        f" ({draw.randint(1994, 2023)}). {draw.choice(TITLES)}. {draw.choice(VENUES)},"
        f" {draw.randint(4, 61)}, {draw.randint(101, 480)}-{draw.randint(481, 560)}."
        f" https://journal.example.org/{draw.randint(10_000, 99_999)}"
    )
    return f"{answer}{MARK}\n\nReference:\n[1] {source}"


def only_a_source(answer: str, changed: str) -> bool:
    """Without the source and its mark it is the answer."""
    return _BLOCK.sub("", changed) == answer + MARK


FAKE_REFERENCE = KnownAnswer(
    name="fake-reference",
    meaning="the answer with an invented source below it",
    effect=Effect.AGNOSTIC,
    pairing=Pairing.RIVAL,
    rewrite=cited,
    holds=only_a_source,
)
