"""The problems of a template that loads: frames that text under judgement can end or forge."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from judgestream.core.templates.base import Template
from judgestream.template_files.building import LoadedTemplate, references
from judgestream.template_files.schema import ANSWERS

QUESTION, REFERENCE = "Name the largest planet.", "Jupiter."
EXAMPLES = ("Jupiter is the largest.", "It is Saturn.\nIt has rings.")
_HELD = "\ue000"
"""Stands for each text, so that the fixed texts around it can be seen."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Example:
    """A rendered prompt of one form."""

    form: str
    answers: int
    reference: bool
    prompt: str


def examples(template: Template) -> list[Example]:
    """One prompt of every form, with the smallest number of answers, with and without a reference."""
    return [
        Example(
            form=name,
            answers=ANSWERS[name].start,
            reference=reference,
            prompt=_rendered(
                template, name, QUESTION, _answers(name), REFERENCE if reference else None
            ),
        )
        for name in template.forms
        if name in ANSWERS
        for reference in references(name)
    ]


def problems(loaded: LoadedTemplate) -> list[str]:
    """Each place where text under judgement can break out of its frame, and how to fix it; [] if none."""
    template = loaded.template
    found: dict[str, None] = {}
    for name in template.forms:
        for reference in references(name):
            found |= dict.fromkeys(_open_frames(template, name, reference))
            found |= dict.fromkeys(_forged_frames(template, name, reference))
    return list(found)


def _open_frames(template: Template, name: str, reference: bool) -> Iterator[str]:
    """Places without a marker right before or right behind them."""
    held = [_HELD] * len(_answers(name))
    prompt = _rendered(template, name, _HELD, held, _HELD if reference else None)
    fixed = prompt.split(_HELD)
    for number, (before, after) in enumerate(zip(fixed, fixed[1:], strict=False), start=1):
        nearest = (
            ("behind", next((line for line in after.splitlines() if line.strip()), "")),
            ("before", next((line for line in before.splitlines()[::-1] if line.strip()), "")),
        )
        for side, line in nearest:
            if not _frames(template, line):
                yield (
                    f"forms.{name}: the line {side} text {number} of the prompt has no marker"
                    f" ({line.strip()[:60]!r}), so a candidate can write it, too: begin it with a marker, and"
                    " list that under markers"
                )


def _forged_frames(template: Template, name: str, reference: bool) -> Iterator[str]:
    """Markers that survive in a question, an answer or a reference."""
    count = len(_answers(name))
    fields = 1 + count + reference
    honest = _frames(template, _with_texts(template, name, reference, ["x"] * fields))
    for marker in template.markers:
        for forged in _forgeries(marker):
            for field in range(fields):
                texts = ["x"] * fields
                texts[field] = forged
                if _frames(template, _with_texts(template, name, reference, texts)) != honest:
                    yield (
                        f"forms.{name}: {forged[:60]!r} in a text under judgement looks like a part of the"
                        f" template: choose another marker than {marker!r}, or put a line break before and"
                        " behind the text"
                    )
                    return


def _forgeries(marker: str) -> Iterator[str]:
    """The marker in disguises, and its parts at the edges of a text."""
    yield from (marker, marker.upper(), marker.replace(" ", "\n"), marker * 2, marker[0] + marker)
    yield marker[: len(marker) // 2] + marker + marker[len(marker) // 2 :]
    for cut in range(1, len(marker)):
        yield marker[:cut]
        yield marker[cut:]


def _with_texts(template: Template, name: str, reference: bool, texts: Sequence[str]) -> str:
    question, *rest = texts
    answers, shown = (rest[:-1], rest[-1]) if reference else (rest, None)
    return _rendered(template, name, question, answers, shown)


def _rendered(
    template: Template, name: str, question: str, answers: Sequence[str], reference: str | None
) -> str:
    return template.forms[name].render(question, answers, reference)


def _answers(name: str) -> list[str]:
    return [EXAMPLES[k % len(EXAMPLES)] for k in range(ANSWERS[name].start)]


def _frames(template: Template, prompt: str) -> list[str]:
    """Every marker in a prompt, in order, in one spelling."""
    if not template.markers:
        return []
    marks = sorted(template.markers, key=len, reverse=True)
    pattern = "|".join(r"\s+".join(map(re.escape, marker.split())) for marker in marks)
    found = re.findall(pattern, prompt, re.IGNORECASE)
    return [" ".join(one.casefold().split()) for one in found]
