"""The mode `multi_turn`: conversations, whole or by their last turn."""

from collections.abc import Sequence

from judgestream.core.conversation import ASSISTANT, Focus, transcript
from judgestream.core.modes.base import Count, Mode
from judgestream.core.modes.orders import DIRECTIONS
from judgestream.core.modes.planning import form_of, reference_uses
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement, settle_pair, settle_single
from judgestream.core.templates.base import Template
from judgestream.core.templates.conversations import PAIR_FORMS, SINGLE_FORMS
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, Request


def passes(
    request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """Two conversations in every order, or one by itself; see `Plan`."""
    if answered:
        return ()
    names = PAIR_FORMS if len(request.candidates) > 1 else SINGLE_FORMS
    form = form_of(mode, template, names[request.options.focus])
    shown = [transcript(candidate.turns) for candidate in request.candidates]
    planned: list[Pass] = []
    for with_reference in reference_uses(request, mode):
        for order in mode.orders[request.options.orders](len(shown)):
            transform = Transform(order=order, with_reference=with_reference)
            reference = request.reference if with_reference else None
            explains = request.options.explain and not planned
            planned.append(
                Pass(
                    transform=transform,
                    prompt=form.render(request.question, transform.apply(shown), reference),
                    grammar=form.grammar,
                    max_tokens=request.options.max_explanation_tokens if explains else 0,
                    reasoning=form.reasoning,
                )
            )
    return tuple(planned)


def settle(request: Request, results: Sequence[PassResult]) -> Settlement:
    """As the modes pairwise and single."""
    return (settle_pair if len(request.candidates) > 1 else settle_single)(request, results)


def problem(request: Request) -> str:
    """A candidate without a reply of the assistant to judge; "" if there is none."""
    for number, candidate in enumerate(request.candidates, start=1):
        name = f"candidates[{number}]"
        if not candidate.turns:
            return (
                f"{name} has no turns: mode multi_turn judges conversations, as messages with roles"
            )
        if not any(turn.role == ASSISTANT for turn in candidate.turns):
            return f"{name}.turns has no message of the assistant, so there is nothing to judge: add it"
        if request.options.focus is Focus.LAST_TURN and candidate.turns[-1].role != ASSISTANT:
            return (
                f"{name}.turns ends with the {candidate.turns[-1].role}: with focus last_turn it must end"
                " with the reply of the assistant that is judged"
            )
    return ""


MULTI_TURN = Mode(
    name="multi_turn",
    summary="one conversation or two, whole or by the last turn: how good, or which is better",
    candidates=Count(least=1, most=2),
    forms_required=(PAIR_FORMS[Focus.WHOLE],),
    orders=DIRECTIONS,
    settle=settle,
    plan=passes,
    problem=problem,
    takes=("turns",),
    needs_question=False,
)
