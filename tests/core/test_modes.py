"""The passes that each mode plans, and the requests that it refuses."""

from dataclasses import replace
from itertools import product

import pytest

from judgestream.core.errors import EmptyQuestion, InvalidRequest, UnknownMode, UnsupportedMode
from judgestream.core.modes import MODES, MULTI, PAIRWISE, SINGLE, check, plan, rotations
from judgestream.core.templates import CHAT_CHOICE, JUDGELM
from judgestream.core.types import Candidate, Options, Orders, ReferenceUse, Request
from tests.core.build import request

A, B = "Rayleigh scattering.", "It reflects the sea."
Use = ReferenceUse

# orders, reference use, a reference given -> pass names, in order. Every combination.
PLANS = [
    (Orders.BOTH, Use.AUTO, False, ["straight", "swapped"]),
    (Orders.BOTH, Use.AUTO, True, ["straight+reference", "swapped+reference"]),
    (Orders.BOTH, Use.NEVER, False, ["straight", "swapped"]),
    (Orders.BOTH, Use.NEVER, True, ["straight", "swapped"]),
    (Orders.BOTH, Use.BOTH, False, ["straight", "swapped"]),
    (
        Orders.BOTH,
        Use.BOTH,
        True,
        ["straight+reference", "swapped+reference", "straight", "swapped"],
    ),
    (Orders.STRAIGHT, Use.AUTO, False, ["straight"]),
    (Orders.STRAIGHT, Use.AUTO, True, ["straight+reference"]),
    (Orders.STRAIGHT, Use.NEVER, False, ["straight"]),
    (Orders.STRAIGHT, Use.NEVER, True, ["straight"]),
    (Orders.STRAIGHT, Use.BOTH, False, ["straight"]),
    (Orders.STRAIGHT, Use.BOTH, True, ["straight+reference", "straight"]),
]
# the rotations of two candidates are both their orders
PLANS += [
    (Orders.ROTATIONS, use, given, names)
    for orders, use, given, names in PLANS
    if orders is Orders.BOTH
]


def test_the_table_of_plans_has_every_combination() -> None:
    assert {row[:3] for row in PLANS} == set(product(Orders, Use, (False, True)))
    assert len(PLANS) == 18


@pytest.mark.parametrize(("orders", "use", "given", "names"), PLANS)
@pytest.mark.parametrize("explain", [False, True])
def test_pairwise_plans(
    orders: Orders, use: ReferenceUse, given: bool, names: list[str], explain: bool
) -> None:
    options = Options(orders=orders, reference_use=use, explain=explain, max_explanation_tokens=99)
    asked = request(answers=(A, B), reference="Air." if given else None, options=options)
    passes = plan(asked, PAIRWISE, JUDGELM)
    assert [one.transform.name for one in passes] == names
    render = JUDGELM.forms["pair"].render
    for one in passes:
        shown = (B, A) if one.transform.order == (1, 0) else (A, B)
        reference = "Air." if one.transform.with_reference else None
        assert one.prompt == render(asked.question, shown, reference)
        assert one.grammar is JUDGELM.forms["pair"].grammar
    # only the first pass writes the explanation, and it is a straight one
    assert [one.max_tokens for one in passes] == [99 if explain else 0] + [0] * (len(names) - 1)
    assert passes[0].transform.straight


@pytest.mark.parametrize("orders", Orders)
@pytest.mark.parametrize("use", ReferenceUse)
def test_single_is_anchored_by_its_reference_and_plain_without_one(
    orders: Orders, use: ReferenceUse
) -> None:
    options = Options(orders=orders, reference_use=use)
    asked = request(mode="single", answers=(A,), reference="Air.", options=options)
    anchored, unaided = JUDGELM.forms["single"], JUDGELM.forms["plain"]
    prompts = {
        "straight+reference": anchored.render(asked.question, (A,), "Air."),
        "straight": unaided.render(asked.question, (A,), None),
    }
    names = {
        Use.AUTO: ["straight+reference"],
        Use.NEVER: ["straight"],
        Use.BOTH: ["straight+reference", "straight"],
    }
    passes = plan(asked, SINGLE, JUDGELM)
    assert [one.transform.name for one in passes] == names[use]
    assert [one.prompt for one in passes] == [prompts[name] for name in names[use]]
    assert {one.grammar.count for one in passes} == {1}
    (alone,) = plan(replace(asked, reference=" "), SINGLE, JUDGELM)
    assert alone.prompt == prompts["straight"]


def test_a_template_without_the_plain_form_refuses_only_requests_without_a_reference() -> None:
    anchored_only = replace(JUDGELM, id="t", forms={"single": JUDGELM.forms["single"]})
    asked = request(mode="single", answers=(A,), reference="Air.")
    (one,) = plan(asked, SINGLE, anchored_only)
    assert one.prompt.endswith("### Response:10")
    refusal = "template t does not support mode single: it has no form plain"
    with pytest.raises(UnsupportedMode, match=refusal):
        plan(replace(asked, reference=None), SINGLE, anchored_only)


ROTATED = ["order-0-1-2", "order-1-2-0", "order-2-0-1"]


@pytest.mark.parametrize(
    ("orders", "names"),
    [
        (Orders.BOTH, ["order-0-1-2", "order-2-1-0"]),
        (Orders.STRAIGHT, ["order-0-1-2"]),
        (Orders.ROTATIONS, ROTATED),
    ],
)
def test_multi_shows_every_answer_in_every_order(orders: Orders, names: list[str]) -> None:
    answers = ("one", "two", "three")
    asked = request(mode="multi", answers=answers, options=Options(orders=orders))
    passes = plan(asked, MULTI, JUDGELM)
    assert [one.transform.name for one in passes] == names
    assert {one.grammar.count for one in passes} == {3}
    for one in passes:
        shown = one.transform.apply(answers)
        assert one.prompt == JUDGELM.forms["multi"].render(asked.question, shown, None)


@pytest.mark.parametrize("count", range(1, 17))
def test_rotations_put_every_candidate_at_every_position_once(count: int) -> None:
    orders = rotations(count)
    assert len(orders) == count
    for position in range(count):
        assert sorted(order[position] for order in orders) == list(range(count))


def test_a_template_without_the_multi_form_refuses_the_mode_by_name() -> None:
    asked = request(mode="multi", answers=("one", "two", "three"))
    refusal = "chat-choice-v1 does not support mode multi: it has no form multi"
    with pytest.raises(UnsupportedMode, match=refusal):
        plan(asked, MULTI, CHAT_CHOICE)


def test_a_blank_reference_is_no_reference() -> None:
    passes = plan(request(reference=" \n "), PAIRWISE, JUDGELM)
    assert [one.transform.name for one in passes] == ["straight", "swapped"]


def test_equal_answers_are_still_judged_in_both_orders() -> None:
    first, second = plan(request(answers=(A, A)), PAIRWISE, JUDGELM)
    assert first.prompt == second.prompt


@pytest.mark.parametrize(
    ("asked", "mode"),
    [
        (request(), PAIRWISE),
        (request(answers=("", "")), PAIRWISE),  # an empty answer is an answer
        (request(mode="single", answers=(A,), reference="Air."), SINGLE),
    ],
)
def test_a_judgeable_request_gets_its_mode(asked: Request, mode: object) -> None:
    assert check(asked) is mode


def with_ids(*ids: str) -> Request:
    return replace(request(), candidates=tuple(Candidate(id=i, text="t") for i in ids))


ERRORS: list[tuple[Request, type[InvalidRequest], str]] = [
    (request(request_id=""), InvalidRequest, "request_id is empty"),
    (request(request_id=" \t"), InvalidRequest, "request_id is empty"),
    (request(mode="triple"), UnknownMode, "unknown mode 'triple'; known: pairwise, single, multi"),
    (request(mode=""), UnknownMode, "unknown mode ''"),
    (request(question=""), EmptyQuestion, "question is empty"),
    (request(question=" \n"), EmptyQuestion, "question is empty"),
    (request(answers=()), InvalidRequest, "takes 2 candidates, not 0"),
    (request(answers=(A,)), InvalidRequest, "takes 2 candidates, not 1"),
    (with_ids("a", "b", "c"), InvalidRequest, "takes 2 candidates, not 3"),
    (
        request(mode="single", reference="r"),
        InvalidRequest,
        "mode single takes 1 candidates, not 2",
    ),
    (with_ids("a", "a"), InvalidRequest, "distinct"),
    (with_ids("a", ""), InvalidRequest, "is empty"),
    (request(mode="multi", answers=(A,)), InvalidRequest, "takes 2 to 16 candidates, not 1"),
]


@pytest.mark.parametrize(("asked", "error", "message"), ERRORS)
def test_a_request_that_cannot_be_judged_is_refused_with_the_reason(
    asked: Request, error: type[InvalidRequest], message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check(asked)
    assert type(caught.value) is error
    assert message in str(caught.value)
    if asked.request_id.strip():
        assert "'r1'" in str(caught.value)  # which request
    assert not caught.value.retryable


@pytest.mark.parametrize("name", MODES)
def test_every_mode_shows_every_candidate_once_in_every_order(name: str) -> None:
    mode = MODES[name]
    assert mode.name == name
    assert mode.summary
    assert mode.orders.keys() <= set(Orders)
    for orders_for in mode.orders.values():
        for count in range(mode.candidates.least, mode.candidates.most + 1):
            orders = orders_for(count)
            assert all(sorted(order) == list(range(count)) for order in orders)
            assert orders[0] == tuple(range(count))  # straight first: it explains
