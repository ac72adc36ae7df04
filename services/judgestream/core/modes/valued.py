"""Modes with reward models: one pass per candidate, in no order."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from judgestream.core.modes.base import Mode
from judgestream.core.modes.planning import passes_of, reference_uses
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement
from judgestream.core.templates.base import Template
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, Request

FORM = "value"


def valued(mode: Mode, settle: Callable[[Request, Sequence[PassResult]], Settlement]) -> Mode:
    """The mode, open to reward models, whose passes settle by this rule. They need no reference."""
    by_value = replace(
        mode,
        forms_required=(FORM,),
        without_reference="",
        needs_reference=False,
        plan=one_by_one,
        settle=settle,
    )
    return replace(mode, by_value=by_value)


def for_template(mode: Mode, template: Template) -> Mode:
    """The mode as judges of this template judge in it."""
    return mode.by_value if mode.by_value and FORM in template.forms else mode


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
