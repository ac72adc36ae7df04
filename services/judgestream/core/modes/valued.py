"""Modes with reward models: one pass per candidate, in no order."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from judgestream.core.modes.base import Mode
from judgestream.core.modes.planning import Plan, passes_of, reference_uses
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement
from judgestream.core.templates.base import Template
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, Request

FORM = "value"


def valued(mode: Mode, settle: Callable[[Request, Sequence[PassResult]], Settlement]) -> Mode:
    """The mode, open to reward models, whose passes settle by this rule. They need no reference."""
    return open_to(mode, settle, FORM, one_by_one)


def open_to(
    mode: Mode,
    settle: Callable[[Request, Sequence[PassResult]], Settlement],
    form: str,
    plan: Plan,
) -> Mode:
    """The mode, open to judges whose template has this form."""
    by_value = replace(
        mode,
        forms_required=(form,),
        without_reference="",
        needs_reference=False,
        plan=plan,
        settle=settle,
    )
    return replace(mode, by_value=by_value)


def for_template(mode: Mode, template: Template) -> Mode:
    """The mode as judges of this template judge in it."""
    by_value = mode.by_value
    return by_value if by_value and by_value.forms_required[0] in template.forms else mode


def one_by_one(
    request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """One stage: every candidate alone, with and without the reference as the request asks."""
    if answered:
        return ()
    count = len(request.candidates)
    return passes_of(
        request,
        mode,
        template,
        (
            Transform(order=(k,), partial=count > 1, with_reference=with_reference)
            for with_reference in reference_uses(request, mode)
            for k in range(count)
        ),
    )
