"""A mode of three to six candidates joins as a row of the table, with a form of its template."""

from collections.abc import Sequence
from itertools import permutations
from math import fsum

import pytest

from judgestream.contracts.codecs.verdicts import verdict_from_message, verdict_to_message
from judgestream.core import modes
from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.modes import MODES, Count, Mode, check, check_template, plan
from judgestream.core.probe import known_good, warm_up_prompts
from judgestream.core.reconcile import Settlement
from judgestream.core.templates import CHAT, JUDGELM
from judgestream.core.templates.base import Form, Grammar, Template, framed
from judgestream.core.transforms import Transform
from judgestream.core.types import (
    Candidate,
    CandidateScore,
    Options,
    Orders,
    PassResult,
    Reading,
    Release,
    Reply,
    Request,
    Status,
)
from judgestream.core.verdicts import Effort, build_verdict
from tests.core.build import NOON


def settle_best(request: Request, passes: Sequence[PassResult]) -> Settlement:
    """The candidate with the highest mean score wins."""
    readings = [result.reading for result in passes if isinstance(result.reading, Reading)]
    means = [
        fsum(column) / len(readings) for column in zip(*(r.means for r in readings), strict=True)
    ]
    scores = tuple(
        CandidateScore(candidate_id=candidate.id, score=mean)
        for candidate, mean in zip(request.candidates, means, strict=True)
    )
    best = request.candidates[means.index(max(means))]
    return Settlement(status=Status.SCORED, winner=best.id, scores=scores)


BEST = Mode(
    name="best",
    summary="three to six answers: which is the best",
    candidates=Count(least=3, most=6),
    forms_required=("list",),
    orders={
        Orders.BOTH: lambda count: list(permutations(range(count))),
        Orders.STRAIGHT: modes.straight_only,
    },
    settle=settle_best,
)
LIST = Form(
    layout=lambda question, answers, _: framed(
        question, lambda k: f"\n{k}: {{answer}}", answers, "\n"
    ),
    grammar=Grammar(labels=tuple("123456789"), count=3),
    score_per_answer=True,
)
LISTED = Template(id="list-v1", forms={"list": LIST}, markers=())
RELEASE = Release(name="r", checkpoint_digest="d", template_id="list-v1", max_input_tokens=9)
TEXTS = ("poor", "middling", "excellent", "bad")
WORTH = {"poor": 2, "middling": 5, "excellent": 9, "bad": 1}


@pytest.fixture(autouse=True)
def with_the_row(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(modes, "MODES", {**MODES, BEST.name: BEST})


def request(count: int, orders: Orders = Orders.BOTH) -> Request:
    candidates = tuple(Candidate(id=text, text=text) for text in TEXTS[:count])
    return Request(
        request_id="q",
        mode="best",
        question="Which?",
        candidates=candidates,
        requested_at=NOON,
        options=Options(orders=orders),
    )


def judged(prompt: str) -> Reply:
    """A judge that scores what is written, in the order that it is shown."""
    answers = [line.partition(": ")[2] for line in prompt.splitlines()[1:]]
    return Reply(text=" ".join(str(WORTH[answer]) for answer in answers))


@pytest.mark.parametrize(("count", "orders"), [(3, 6), (4, 24)])
def test_every_order_is_judged_and_its_scores_return_to_their_candidates(
    count: int, orders: int
) -> None:
    asked = request(count)
    passes = plan(asked, check(asked), LISTED)
    assert len({one.transform for one in passes}) == len(passes) == orders
    assert all(one.grammar.count == count for one in passes)
    verdict = build_verdict(
        request=asked,
        mode=BEST,
        release=RELEASE,
        results=[one.result(judged(one.prompt)) for one in passes],
        effort=Effort(attempts=1, latency_s=0.0, ended_at=NOON),
        verdict_id="v",
        content_digest="d",
    )
    assert verdict.winner == "excellent"
    assert [score.score for score in verdict.scores] == [WORTH[text] for text in TEXTS[:count]]
    published = verdict_from_message(verdict_to_message(verdict))
    assert [one.transform for one in published.passes] == [one.transform for one in passes]
    assert published == verdict


def test_the_straight_order_alone_is_one_pass() -> None:
    asked = request(4, Orders.STRAIGHT)
    (only,) = plan(asked, check(asked), LISTED)
    assert only.transform == Transform(order=(0, 1, 2, 3))


@pytest.mark.parametrize("count", [1, 2])
def test_another_number_of_candidates_is_refused(count: int) -> None:
    with pytest.raises(InvalidRequest, match=f"takes 3 to 6 candidates, not {count}"):
        check(request(count))


@pytest.mark.parametrize("template", [JUDGELM, CHAT], ids=lambda template: template.id)
def test_a_template_without_the_form_refuses_the_mode_by_name(template: Template) -> None:
    refusal = f"template {template.id} does not support mode best: it has no form list"
    with pytest.raises(UnsupportedMode, match=refusal):
        check_template(BEST, template)
    with pytest.raises(UnsupportedMode, match=refusal):
        plan(request(3), BEST, template)


def test_a_template_of_the_new_form_alone_refuses_the_older_modes() -> None:
    check_template(BEST, LISTED)
    for mode in MODES.values():
        with pytest.raises(UnsupportedMode, match=r"\(only list\)"):
            check_template(mode, LISTED)
    with pytest.raises(UnsupportedMode):
        known_good(LISTED)


def test_warm_up_runs_the_modes_that_the_template_supports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("judgestream.core.probe.MODES", modes.MODES)
    (prompt,) = warm_up_prompts(LISTED)
    assert (prompt.grammar.count, prompt.max_tokens) == (3, 1)
    assert prompt.text == "Ready?\n1: Yes.\n2: Yes.\n3: Yes.\n"
    texts = "".join(prompt.text for prompt in warm_up_prompts(JUDGELM))
    for words in ("two AI", "one AI", "Response:10"):  # of multi and pairwise, plain, single
        assert words in texts
