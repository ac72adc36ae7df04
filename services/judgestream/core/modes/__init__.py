"""The table of modes: which passes a request needs, and how their readings settle.

A new mode is a row in `MODES`: how many candidates it takes, the template form that it renders, the
orders that it shows, and its settling rule. See docs/how-to/add-a-mode.md.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from judgestream.core.checks import request_problem
from judgestream.core.errors import EmptyQuestion, InvalidRequest, UnknownMode, UnsupportedMode
from judgestream.core.images import has_images
from judgestream.core.limits import quoted
from judgestream.core.modes import tournament
from judgestream.core.modes.base import Count, Mode, exactly
from judgestream.core.modes.follow_up import Discussion
from judgestream.core.modes.multi_turn import MULTI_TURN
from judgestream.core.modes.multimodal import MULTIMODAL
from judgestream.core.modes.orders import (
    DIRECTIONS,
    Order,
    both_directions,
    rotations,
    straight_only,
)
from judgestream.core.modes.planning import (
    Plan,
    form_of,
    has_reference,
    in_every_order,
    lacking,
    passes_of,
    reference_uses,
)
from judgestream.core.modes.rerank import RERANK
from judgestream.core.modes.rubric import RUBRIC
from judgestream.core.modes.valued import for_template, valued
from judgestream.core.passes import Pass
from judgestream.core.reconcile import settle_pair, settle_single
from judgestream.core.settling import reward
from judgestream.core.settling.multi import settle_multi
from judgestream.core.settling.tournament import settle_tournament
from judgestream.core.templates.base import Template
from judgestream.core.templates.multi import MOST
from judgestream.core.types import PassResult, Request

__all__ = [
    "DIRECTIONS",
    "FOLLOW_UP",
    "MODES",
    "MULTI",
    "MULTI_TURN",
    "MULTIMODAL",
    "PAIRWISE",
    "RERANK",
    "RUBRIC",
    "SINGLE",
    "TOURNAMENT",
    "Count",
    "Mode",
    "Order",
    "Plan",
    "both_directions",
    "check",
    "check_template",
    "exactly",
    "for_template",
    "form_of",
    "has_reference",
    "in_every_order",
    "passes_of",
    "plan",
    "reference_uses",
    "rotations",
    "served_by",
    "straight_only",
    "valued",
]

PAIRWISE = valued(
    Mode(
        name="pairwise",
        summary="two answers, both orders by default: which is better, or are they equal",
        candidates=exactly(2),
        forms_required=("pair",),
        orders=DIRECTIONS,
        settle=settle_pair,
    ),
    reward.settle_pair,
)
SINGLE = valued(
    Mode(
        name="single",
        summary="one answer, scored 1 to 10; a reference answer, if there is one, counts as a 10",
        candidates=exactly(1),
        forms_required=("single",),
        orders=DIRECTIONS,
        settle=settle_single,
        without_reference="plain",
    ),
    reward.settle_single,
)
MULTI = valued(
    Mode(
        name="multi",
        summary="2 to 16 answers in one prompt, each scored: a ranking with ties",
        candidates=Count(least=2, most=MOST),
        forms_required=("multi",),
        orders=DIRECTIONS,
        settle=settle_multi,
    ),
    reward.settle_multi,
)
TOURNAMENT = valued(
    Mode(
        name="tournament",
        summary="3 to 16 answers in pairs, both orders by default: a ranking with intervals",
        candidates=Count(least=3, most=16),
        forms_required=("pair",),
        orders=DIRECTIONS,
        settle=settle_tournament,
        plan=tournament.plan,
        problem=tournament.problem,
    ),
    reward.settle_tournament,
)

FOLLOW_UP = Discussion(
    pairwise=PAIRWISE, single=SINGLE, multi=MULTI, multi_turn=MULTI_TURN, rubric=RUBRIC
).mode()
_ROWS = (PAIRWISE, SINGLE, MULTI, TOURNAMENT, RERANK, MULTI_TURN, RUBRIC, FOLLOW_UP, MULTIMODAL)
MODES: Mapping[str, Mode] = MappingProxyType({mode.name: mode for mode in _ROWS})


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
    if mode.needs_question and not request.question.strip():
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
    if part := next((part for part in _parts(request) if part not in mode.takes), ""):
        owner = next(one.name for one in MODES.values() if part in one.takes)
        raise InvalidRequest(
            f"{where}: mode {mode.name} takes no {part}: remove them, or use mode {owner}"
        )
    if has_reference(request) and not mode.takes_reference:
        raise InvalidRequest(
            f"{where}: mode {mode.name} takes no reference answer: remove it, or put it into the question"
        )
    if mode.needs_reference and not has_reference(request):
        raise InvalidRequest(f"{where}: mode {mode.name} needs a reference answer")
    if request.options.orders not in mode.orders:
        known = ", ".join(mode.orders)
        raise InvalidRequest(
            f"{where}: mode {mode.name} does not show orders {request.options.orders}: one of {known}"
        )
    if problem := mode.problem(request):
        raise InvalidRequest(f"{where}: {problem}")
    return mode


def _parts(request: Request) -> Iterator[str]:
    """The parts of a request that only some modes take, as `Mode.takes` names them."""
    if any(candidate.turns for candidate in request.candidates):
        yield "turns"
    if request.rubric is not None:
        yield "rubric"
    if request.discussion:
        yield "discussion"


def check_template(mode: Mode, template: Template) -> None:
    """Whether judges of this template can judge in this mode.

    Raises:
        UnsupportedMode: the template lacks a form; the message names it.
    """
    mode = for_template(mode, template)
    missing = [form for form in mode.forms_required if form not in template.forms]
    if missing:
        raise lacking(mode, template, missing)


def served_by(template: Template) -> tuple[str, ...]:
    """The names of the modes in which judges of this template can judge, in the order of the table."""
    names = []
    for mode in MODES.values():
        try:
            check_template(mode, template)
        except UnsupportedMode:
            continue
        names.append(mode.name)
    return tuple(names)


def plan(
    request: Request, mode: Mode, template: Template, answered: Sequence[PassResult] = ()
) -> tuple[Pass, ...]:
    """The passes that a fair judgement of this request needs next, in a fixed order; () when it can settle.

    The first pass writes the explanation, if the request wants one.

    Args:
        answered: the results of the passes of earlier stages. Most modes have one stage.

    Raises:
        UnsupportedMode: as `check_template`.
        InvalidRequest: the prompts exceed `limits.PROMPTS` together.
    """
    check_template(mode, template)
    mode = for_template(mode, template)
    return mode.plan(request, mode, template, answered)
