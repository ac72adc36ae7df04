"""The mode `rubric`: one answer, scored for each criterion of a rubric.

It takes one answer. A rubric's score is absolute: it must not depend on what else is judged in the same
request. To compare several answers, send one request for each with the same rubric.
"""

from collections.abc import Sequence

from judgestream.core.modes.base import Mode, exactly
from judgestream.core.modes.orders import DIRECTIONS
from judgestream.core.modes.planning import form_of, reference_uses
from judgestream.core.passes import Pass
from judgestream.core.settling.rubric import settle_rubric
from judgestream.core.templates import rubric as forms
from judgestream.core.templates.base import Template
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, Request


def passes(
    request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """One prompt per criterion; see `Plan`. Each writes its explanation, if the request wants one."""
    if answered or request.rubric is None:
        return ()
    form = form_of(mode, template, forms.RUBRIC)
    (candidate,) = request.candidates
    uses = reference_uses(request, mode)
    return tuple(
        Pass(
            transform=Transform(order=(0,), with_reference=with_reference, criterion=criterion.id),
            prompt=form.render(
                request.question,
                (candidate.text, criterion.description),
                request.reference if with_reference else None,
            ),
            grammar=form.grammar,
            max_tokens=(
                request.options.max_explanation_tokens
                if request.options.explain and with_reference is uses[0]
                else 0
            ),
            reasoning=form.reasoning,
        )
        for with_reference in uses
        for criterion in request.rubric.criteria
    )


def problem(request: Request) -> str:
    return "" if request.rubric is not None else "mode rubric needs a rubric: add its criteria"


RUBRIC = Mode(
    name="rubric",
    summary="one answer, scored for each criterion of a rubric, with a weighted total and thresholds",
    candidates=exactly(1),
    forms_required=(forms.RUBRIC,),
    orders=DIRECTIONS,
    settle=settle_rubric,
    plan=passes,
    problem=problem,
    takes=("rubric",),
)
