"""Known good prompts, which a working judge answers.

When a judge fails on a request, they tell whether the request or the judge is the cause.
"""

import base64
from dataclasses import replace
from datetime import UTC, datetime

from judgestream.core.errors import UnsupportedMode
from judgestream.core.modes import MODES, MULTIMODAL, PAIRWISE, check_template, for_template, plan
from judgestream.core.passes import Pass
from judgestream.core.prompt import Prompt
from judgestream.core.templates import image_scorer
from judgestream.core.templates.base import Reasoning, Template
from judgestream.core.types import Candidate, Image, Options, Orders, Request

KNOWN_GOOD = Request(
    request_id="judgestream-probe",
    mode=PAIRWISE.name,
    question="What is 2 + 2?",
    candidates=(Candidate(id="a", text="4"), Candidate(id="b", text="5")),
    requested_at=datetime(2026, 1, 1, tzinfo=UTC),
    options=Options(orders=Orders.STRAIGHT),
)
"""Sent to the judge directly: it is not published, and not counted."""

_GREY = Image(
    data=base64.b64decode(
        "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAAAAADhZOFXAAAAEElEQVR42mNsYIAAJgaKGAAmCACQtTEK"
        "kQAAAABJRU5ErkJggg=="
    )
)
KNOWN_GOOD_IMAGE = replace(
    KNOWN_GOOD,
    mode=MULTIMODAL.name,
    question="A grey square.",
    candidates=(Candidate(id="1", images=(_GREY,)),),
)
"""The same for an image scorer, which judges no texts."""

SHORT_REASONING = 16
"""Tokens of a reasoning that nobody reads."""


def known_good(template: Template) -> tuple[Pass, ...]:
    """The passes of a known good request, with short reasonings. There is one, or with a reward model one per
    answer."""
    if image_scorer.FORM in template.forms:
        return plan(KNOWN_GOOD_IMAGE, MULTIMODAL, template)
    return tuple(
        replace(one, reasoning=_short(one.reasoning))
        for one in plan(KNOWN_GOOD, PAIRWISE, template)
    )


def warm_up_prompts(template: Template) -> tuple[Prompt, ...]:
    """One prompt of each form of the modes that the template supports."""
    prompts: list[Prompt] = []
    seen: set[str] = set()
    for mode in MODES.values():
        try:
            check_template(mode, template)
        except UnsupportedMode:
            continue
        fitting = for_template(mode, template)
        for name in (*fitting.forms_required, fitting.without_reference):
            form = template.forms.get(name)
            if form is None or name in seen:
                continue  # without a reference, which not every template can judge, or warm already
            seen.add(name)
            answers = ["Yes."] * (1 if form.grammar.reward else mode.candidates.least)
            prompts.append(
                Prompt(
                    text=form.render("Ready?", answers, "Yes."),
                    grammar=form.grammar_for(len(answers)),
                    max_tokens=1 if form.reasoning is None else 0,
                    reasoning=_short(form.reasoning),
                )
            )
    return tuple(prompts)


def _short(reasoning: Reasoning | None) -> Reasoning | None:
    """One short reasoning: whether a judge works does not need a long one."""
    return reasoning and Reasoning(max_tokens=min(SHORT_REASONING, reasoning.max_tokens))
