"""Known good prompts, which a working judge answers.

When a judge fails on a request, they tell whether the request or the judge is the cause.
"""

from dataclasses import replace
from datetime import UTC, datetime

from judgestream.core.errors import UnsupportedMode
from judgestream.core.modes import MODES, PAIRWISE, check_template, for_template, plan
from judgestream.core.passes import Pass
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Reasoning, Template
from judgestream.core.types import Candidate, Options, Orders, Request

KNOWN_GOOD = Request(
    request_id="judgestream-probe",
    mode=PAIRWISE.name,
    question="What is 2 + 2?",
    candidates=(Candidate(id="a", text="4"), Candidate(id="b", text="5")),
    requested_at=datetime(2026, 1, 1, tzinfo=UTC),
    options=Options(orders=Orders.STRAIGHT),
)
"""Sent to the judge directly: it is not published, and not counted."""

SHORT_REASONING = 16
"""Tokens of a reasoning that nobody reads."""


def known_good(template: Template) -> tuple[Pass, ...]:
    """The passes of `KNOWN_GOOD`, with short reasonings: one, or with a reward model one per answer."""
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
