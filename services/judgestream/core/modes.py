"""The table of modes: which passes a request needs, and how their readings settle.

A new mode is a row in `MODES`: how many candidates it takes, the template form that it renders, the
orders that it shows, and its settling rule. See docs/how-to/add-a-mode.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from judgestream.core.checks import request_problem
from judgestream.core.errors import EmptyQuestion, InvalidRequest, UnknownMode, UnsupportedMode
from judgestream.core.images import has_images
from judgestream.core.limits import quoted
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement, settle_pair, settle_single
from judgestream.core.templates.base import Template
from judgestream.core.transforms import Transform
from judgestream.core.types import Orders, PassResult, ReferenceUse, Request

Order = tuple[int, ...]
"""As in `Transform.order`."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Count:
    """How many candidates a mode takes."""

    least: int
    most: int

    def __contains__(self, count: int) -> bool:
        return self.least <= count <= self.most

    def __str__(self) -> str:
        return str(self.least) if self.least == self.most else f"{self.least} to {self.most}"


def exactly(count: int) -> Count:
    return Count(least=count, most=count)


def straight_only(count: int) -> tuple[Order, ...]:
    """The request's order, so half the cost of `both_directions` for a pair."""
    return (tuple(range(count)),)


def both_directions(count: int) -> tuple[Order, ...]:
    """The request's order and its reverse, once where they are the same."""
    straight = tuple(range(count))
    return (straight, straight[::-1]) if count > 1 else (straight,)


DIRECTIONS: Mapping[Orders, Callable[[int], Sequence[Order]]] = MappingProxyType(
    {Orders.BOTH: both_directions, Orders.STRAIGHT: straight_only}
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Mode:
    """One way of judging.

    candidates       how many a request must carry
    forms_required   names of the template forms that it needs; the first one renders its passes
    orders           by the request's `Orders` option: number of candidates -> the orders to show, the
                     request's own order first
    settle           readings in the request's candidate order -> one settlement
    needs_reference  the form cannot be rendered without one
    takes_images     a request may have images
    """

    name: str
    summary: str
    candidates: Count
    forms_required: tuple[str, ...]
    orders: Mapping[Orders, Callable[[int], Sequence[Order]]]
    settle: Callable[[Request, Sequence[PassResult]], Settlement]
    needs_reference: bool = False
    takes_images: bool = False


PAIRWISE = Mode(
    name="pairwise",
    summary="two answers, both orders by default: which is better, or are they equal",
    candidates=exactly(2),
    forms_required=("pair",),
    orders=DIRECTIONS,
    settle=settle_pair,
)
SINGLE = Mode(
    name="single",
    summary="one answer, scored 1 to 10 against a reference answer",
    candidates=exactly(1),
    forms_required=("single",),
    orders=DIRECTIONS,
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
    if len(request.candidates) not in mode.candidates:
        raise InvalidRequest(
            f"{where}: mode {mode.name} takes {mode.candidates} candidates,"
            f" not {len(request.candidates)}"
        )
    ids = [candidate.id for candidate in request.candidates]
    if len(set(ids)) != len(ids):
        repeated = next(name for k, name in enumerate(ids) if name in ids[:k])
        raise InvalidRequest(f"{where}: candidate ids must be distinct: two are {quoted(repeated)}")
    if has_images(request) and not mode.takes_images:
        raise InvalidRequest(
            f"{where}: mode {mode.name} judges texts only, and the request has images: use mode multimodal"
        )
    if mode.needs_reference and not (request.reference or "").strip():
        raise InvalidRequest(f"{where}: mode {mode.name} needs a reference answer")
    return mode


def check_template(mode: Mode, template: Template) -> None:
    """Whether judges of this template can judge in this mode.

    Raises:
        UnsupportedMode: the template lacks a form; the message names it.
    """
    missing = [form for form in mode.forms_required if form not in template.forms]
    if missing:
        raise UnsupportedMode(
            f"template {template.id} does not support mode {mode.name}: it has no form"
            f" {', '.join(missing)} (only {', '.join(template.forms)}): use a release with another template"
        )


def plan(request: Request, mode: Mode, template: Template) -> tuple[Pass, ...]:
    """The passes that a fair judgement of this request needs, in a fixed order.

    The first pass is straight and writes the explanation, if the request wants one.

    Raises:
        UnsupportedMode: as `check_template`.
    """
    check_template(mode, template)
    form = template.forms[mode.forms_required[0]]
    answers = [candidate.text for candidate in request.candidates]
    grammar = form.grammar_for(len(answers))
    passes: list[Pass] = []
    for with_reference in _reference_uses(request, mode):
        for order in mode.orders[request.options.orders](len(answers)):
            transform = Transform(order=order, with_reference=with_reference)
            reference = request.reference if with_reference else None
            explains = request.options.explain and not passes
            passes.append(
                Pass(
                    transform=transform,
                    prompt=form.render(request.question, transform.apply(answers), reference),
                    grammar=grammar,
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
