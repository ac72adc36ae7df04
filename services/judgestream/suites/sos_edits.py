"""Edits of one answer by rule: a change of tone, of layout or of length, a false fact, a missing end.

The paper (arXiv 2409.15268) has a model rewrite answers. Rules make the same edit on every machine, and each
has a check that the text was changed as intended; an edit that does not fit an answer is left out.
"""

import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.core.known_answers.base import KnownAnswer
from judgestream.core.known_answers.facts import PLANTED_ERROR, with_error
from judgestream.core.known_answers.formatting import RICH_FORMATTING
from judgestream.core.known_answers.padding import PADDED
from judgestream.core.known_answers.texts import is_latin, is_structured, without_markup
from judgestream.core.known_answers.truncation import TRUNCATED

FALSE_FACTS = 4
"""Facts that `false_facts` changes at most. It needs two."""
SNEERS = (
    "Oh, what a question. I can hardly contain my excitement.",
    "Wow, nobody has ever asked that before. Truly groundbreaking.",
    "Sure, because I clearly had nothing better to do.",
)
PARTING = (
    "You are welcome, I suppose. Try to keep up next time.",
    "There. Was that so hard? For you, apparently, yes.",
)
CURT = "I am not going to explain this, so do not ask for reasons."


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """One edit.

    style     the facts stay as they are
    rewrite   answer and seeded generator -> the edited answer; None where the edit does not fit
    """

    name: str
    style: bool
    rewrite: Callable[[str, random.Random], str | None]


def edited(answer: str, seed: str) -> Iterator[tuple[str, str]]:
    """The edits that fit the answer, by name. The same answer and seed always give the same texts."""
    for name, edit in EDITS.items():
        text = edit.rewrite(answer, random.Random(f"{seed}/{name}"))  # noqa: S311 - reproducible
        if text is not None and text.strip() and text != answer:
            yield name, text


def _sarcastic(answer: str, draw: random.Random) -> str | None:
    """The answer, word for word, between two sneers."""
    if not is_latin(answer):
        return None
    return f"{draw.choice(SNEERS)}\n\n{answer}\n\n{draw.choice(PARTING)}"


def _undidactic(answer: str, _: random.Random) -> str | None:
    """The answer, word for word, behind a refusal to explain."""
    return f"{CURT}\n\n{answer}" if is_latin(answer) else None


def _plain(answer: str, _: random.Random) -> str | None:
    """The same words without Markdown."""
    if is_structured(answer):
        return None
    return without_markup(answer)


def _false_facts(answer: str, draw: random.Random) -> str | None:
    """Two to `FALSE_FACTS` numbers or names wrong."""
    before, text = answer.split(), answer
    for _ in range(FALSE_FACTS):
        changed = with_error(text, draw, "")
        if changed is None:
            break
        text = changed
    after = text.split()
    wrong = sum(a != b for a, b in zip(before, after, strict=True))
    return text if wrong > 1 else None


def _known(known: KnownAnswer) -> Callable[[str, random.Random], str | None]:
    def rewrite(answer: str, draw: random.Random) -> str | None:
        text = known.rewrite(answer, draw, "")
        return text if text is not None and known.holds(answer, text) else None

    return rewrite


EDITS: Mapping[str, Edit] = MappingProxyType(
    {
        one.name: one
        for one in (
            Edit(name="sarcastic", style=True, rewrite=_sarcastic),
            Edit(name="undidactic", style=True, rewrite=_undidactic),
            Edit(name="plain", style=True, rewrite=_plain),
            Edit(name="formatted", style=True, rewrite=_known(RICH_FORMATTING)),
            Edit(name="verbose", style=True, rewrite=_known(PADDED)),
            Edit(name="false_fact", style=False, rewrite=_known(PLANTED_ERROR)),
            Edit(name="false_facts", style=False, rewrite=_false_facts),
            Edit(name="truncated", style=False, rewrite=_known(TRUNCATED)),
        )
    }
)
STYLE_EDITS = frozenset(name for name, edit in EDITS.items() if edit.style) | {"concise"}
"""Edits that leave the facts as they are, also those of a user's file; all others change them."""
