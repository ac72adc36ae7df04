"""The table of modes: which passes a request needs, and how their readings settle.

A new mode is a row in `MODES`: how many candidates it takes, the template form that it renders, the
orders that it shows, and its settling rule.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.core.checks import request_problem
from judgestream.core.errors import EmptyQuestion, InvalidRequest, UnknownMode
from judgestream.core.limits import quoted
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement, settle_pair, settle_single
from judgestream.core.templates.base import Template
from judgestream.core.transforms import STRAIGHT, SWAPPED, Transform
from judgestream.core.types import Orders, PassResult, ReferenceUse, Request


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """One way of judging.

    candidates       how many a request must carry
    form             the template form that renders its passes
    orders           the candidate orders to show, by the request's `Orders` option
    settle           readings in the request's candidate order -> one settlement
    needs_reference  the form cannot be rendered without one
    """

    name: str
    summary: str
    candidates: int
    form: str
    orders: Mapping[Orders, tuple[tuple[int, ...], ...]]
    settle: Callable[[Request, Sequence[PassResult]], Settlement]
    needs_reference: bool = False


PAIRWISE = Mode(
    name="pairwise",
    summary="two answers, both orders by default: which is better, or are they equal",
    candidates=2,
    form="pair",
    orders={
        Orders.BOTH: (STRAIGHT.order, SWAPPED.order),
        Orders.STRAIGHT: (STRAIGHT.order,),
    },
    settle=settle_pair,
)
SINGLE = Mode(
    name="single",
    summary="one answer, scored 1 to 10 against a reference answer",
    candidates=1,
    form="single",
    orders={Orders.BOTH: ((0,),), Orders.STRAIGHT: ((0,),)},
    settle=settle_single,
    needs_reference=True,
)

MODES: Mapping[str, Mode] = MappingProxyType({m.name: m for m in (PAIRWISE, SINGLE)})


def check(request: Request) -> Mode:
    """The request's mode, once the request is known to be judgeable.

    Raises:
        UnknownMode, EmptyQuestion, InvalidRequest: the message names the request and the field.
    """
    where = f"request {quoted(request.request_id)}"
    if problem := request_problem(request):
        raise InvalidRequest(f"{where}: {problem}")
    mode = MODES.get(request.mode)
    if mode is None:
        known = ", ".join(MODES)
        raise UnknownMode(f"{where}: unknown mode {quoted(request.mode)}; known: {known}")
    if not request.question.strip():
        raise EmptyQuestion(f"{where}: question is empty")
    if len(request.candidates) != mode.candidates:
        raise InvalidRequest(
            f"{where}: mode {mode.name} takes {mode.candidates} candidates,"
            f" not {len(request.candidates)}"
        )
    ids = [candidate.id for candidate in request.candidates]
    if len(set(ids)) != len(ids):
        twice = next(one for k, one in enumerate(ids) if one in ids[:k])
        raise InvalidRequest(f"{where}: candidate ids must be distinct: two are {quoted(twice)}")
    if mode.needs_reference and not (request.reference or "").strip():
        raise InvalidRequest(f"{where}: mode {mode.name} needs a reference answer")
    return mode


def plan(request: Request, mode: Mode, template: Template) -> tuple[Pass, ...]:
    """The passes that a fair judgement of this request needs, in a fixed order.

    The first pass is straight and writes the explanation, if the request wants one.
    """
    form = template.forms[mode.form]
    answers = [candidate.text for candidate in request.candidates]
    passes: list[Pass] = []
    for with_reference in _reference_uses(request, mode):
        for order in mode.orders[request.options.orders]:
            transform = Transform(order=order, with_reference=with_reference)
            reference = request.reference if with_reference else None
            explains = request.options.explain and not passes
            passes.append(
                Pass(
                    transform=transform,
                    prompt=form.render(request.question, transform.apply(answers), reference),
                    grammar=form.grammar,
                    max_tokens=request.options.max_explanation_tokens if explains else 0,
                )
            )
    return tuple(passes)


def _reference_uses(request: Request, mode: Mode) -> tuple[bool, ...]:
    if mode.needs_reference:
        return (True,)
    if not (request.reference or "").strip() or request.options.reference_use is ReferenceUse.NEVER:
        return (False,)
    if request.options.reference_use is ReferenceUse.BOTH:
        return (True, False)
    return (True,)
