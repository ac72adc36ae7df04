"""Mode rubric: prompts per criterion, the scale of each, the total with its uncertainty, and thresholds."""

from dataclasses import replace
from math import sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.modes import RUBRIC, check, plan
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement
from judgestream.core.rubric import Criterion, CriterionScore, Rubric
from judgestream.core.settling.rubric import settle_rubric
from judgestream.core.templates import CHAT, CHAT_CHOICE, JUDGELM
from judgestream.core.templates.base import Template
from judgestream.core.types import (
    CandidateScore,
    Options,
    ReferenceUse,
    Reply,
    Request,
    Status,
)
from tests.core.build import request

FACTS = Criterion(id="facts", description="Every statement is true.", low=1, high=5, weight=3)
TONE = Criterion(id="tone", description="It is polite.", low=0, high=100, weight=1)


def asked(
    *criteria: Criterion,
    total: float | None = None,
    reference: str | None = None,
    options: Options | None = None,
) -> Request:
    plain = request(
        mode="rubric", answers=("Rayleigh scattering.",), reference=reference, options=options
    )
    return replace(plain, rubric=Rubric(criteria=criteria or (FACTS, TONE), pass_threshold=total))


def distribution(**probs: float) -> Reply:
    """A reply of a judge that writes 1 to 10: `_8=.5` is the probability of 8."""
    values = [0.0] * 10
    for label, p in probs.items():
        values[int(label[1:]) - 1] = p
    return Reply(text=str(values.index(max(values)) + 1), score_probs=tuple(values))


def settled(of: Request, *replies: Reply, template: Template = CHAT) -> Settlement:
    passes = plan(of, RUBRIC, template)
    results = [one.result(reply) for one, reply in zip(passes, replies, strict=True)]
    return settle_rubric(of, results)


def score_of(settlement: Settlement) -> CandidateScore:
    (score,) = settlement.scores
    return score


def test_there_is_one_prompt_per_criterion_and_reference_use() -> None:
    both = asked(reference="Air scatters blue.", options=Options(reference_use=ReferenceUse.BOTH))
    assert [one.transform.name for one in plan(both, check(both), JUDGELM)] == [
        "straight+reference/facts",
        "straight+reference/tone",
        "straight/facts",
        "straight/tone",
    ]
    names = [one.transform.name for one in plan(asked(), RUBRIC, CHAT)]
    assert names == ["straight/facts", "straight/tone"]


def test_every_criterion_is_explained_once() -> None:
    options = Options(explain=True, max_explanation_tokens=9, reference_use=ReferenceUse.BOTH)
    passes = plan(asked(reference="Air.", options=options), RUBRIC, CHAT)
    assert [one.max_tokens for one in passes] == [9, 9, 0, 0]
    replies = [Reply(text=text) for text in ("8\nTrue.", "9\nKind.", "8", "9")]
    settlement = settled(asked(reference="Air.", options=options), *replies)
    assert settlement.explanation == "facts: True.\n\ntone: Kind."


def test_labels_map_linearly_from_the_judges_scale_to_each_criterions() -> None:
    """1 is the low end and 10 the high end: 5.5 is the middle, and 4 is a third of the way."""
    settlement = settled(asked(), distribution(_1=0.5, _10=0.5), distribution(_4=1.0))
    facts, tone = score_of(settlement).criteria
    assert facts.score == pytest.approx(3.0)  # halfway from 1 to 5
    assert tone.score == pytest.approx(100 / 3)  # (4 - 1) / 9 of the way from 0 to 100


def test_a_judge_that_says_yes_or_no_scores_by_the_probability_of_yes() -> None:
    replies = (Reply(text="yes", score_probs=(0.75, 0.25)), Reply(text="no"))
    facts, tone = score_of(settled(asked(), *replies, template=CHAT_CHOICE)).criteria
    assert facts.score == pytest.approx(1 + 0.75 * 4)
    assert tone.score == 0


def test_the_total_is_the_weighted_mean_of_shares_of_the_scales() -> None:
    """facts: label 10 is a share of 1, weight 3. tone: label 1 is a share of 0, weight 1."""
    score = score_of(settled(asked(), distribution(_10=1.0), distribution(_1=1.0)))
    assert score.score == pytest.approx(3 / 4)


def test_the_uncertainty_of_a_criterion_is_the_spread_of_the_judges_distribution() -> None:
    """Labels 4 and 7 at even odds are shares of 1/3 and 2/3: mean 1/2, standard deviation 1/6."""
    settlement = settled(asked(), distribution(_4=0.5, _7=0.5), distribution(_10=1.0))
    facts, tone = score_of(settlement).criteria
    assert facts.score == pytest.approx(3.0)
    assert facts.low == pytest.approx(3 - 1.96 / 6 * 4)
    assert facts.high == pytest.approx(3 + 1.96 / 6 * 4)
    assert tone.low == pytest.approx(100) and tone.high == pytest.approx(100)


def test_variances_of_the_criteria_add_up_in_the_total() -> None:
    """Both criteria have mean 1/2 and standard deviation 1/6, with weights 3 and 1: that of the total is
    sqrt(9 + 1) / 4 / 6."""
    even = distribution(_4=0.5, _7=0.5)
    score = score_of(settled(asked(), even, even))
    half = 1.96 * sqrt(10) / 4 / 6
    assert score.score == pytest.approx(0.5)
    assert score.low == pytest.approx(0.5 - half) and score.high == pytest.approx(0.5 + half)


def test_an_interval_stays_on_its_scale() -> None:
    score = score_of(settled(asked(), distribution(_1=0.5, _10=0.5), distribution(_10=1.0)))
    facts, _ = score.criteria
    assert (facts.low, facts.high) == (1, 5)
    assert score.high == 1


def test_with_and_without_the_reference_the_distributions_are_averaged() -> None:
    """Label 1 with the reference and 10 without: mean share 1/2, standard deviation 1/2."""
    both = asked(FACTS, reference="Air.", options=Options(reference_use=ReferenceUse.BOTH))
    score = score_of(settled(both, distribution(_1=1.0), distribution(_10=1.0)))
    assert score.score == pytest.approx(0.5)
    assert (score.low, score.high) == (0, 1)  # 0.5 -+ 1.96 * 0.5, cut to the scale


@pytest.mark.parametrize(
    ("threshold", "total", "passes", "passed"),
    [
        (None, None, None, None),
        (
            5.0,
            None,
            True,
            True,
        ),  # label 10 is 5 on the scale of 1 to 5: a threshold is reached, not beaten
        (None, 0.75, None, True),
        (None, 0.76, None, False),
        (5.0, 0.76, True, False),
        (5.0, 0.75, True, True),
    ],
)
def test_the_answer_passes_if_every_threshold_is_reached(
    threshold: float | None, total: float | None, passes: bool | None, passed: bool | None
) -> None:
    criteria = (replace(FACTS, pass_threshold=threshold), TONE)
    settlement = settled(asked(*criteria, total=total), distribution(_10=1.0), distribution(_1=1.0))
    assert score_of(settlement).criteria[0].passed is passes
    assert settlement.passed is score_of(settlement).passed is passed


def test_a_criterion_that_fails_fails_the_answer() -> None:
    criteria = (FACTS, replace(TONE, pass_threshold=50.0))
    settlement = settled(asked(*criteria, total=0.7), distribution(_10=1.0), distribution(_1=1.0))
    assert [one.passed for one in score_of(settlement).criteria] == [None, False]
    assert settlement.passed is False


def test_one_unreadable_criterion_makes_the_request_unscored() -> None:
    settlement = settled(asked(), distribution(_10=1.0), Reply(text="I would rather not"))
    assert settlement.status is Status.UNSCORED
    assert settlement.reason == "unparsable: straight/tone"
    assert score_of(settlement) == CandidateScore(
        candidate_id="a", score=None, system="system-a", length=20
    )


def test_a_rubric_has_no_winner() -> None:
    settlement = settled(asked(), distribution(_10=1.0), distribution(_10=1.0))
    assert (settlement.winner, settlement.tie, settlement.flipped) == ("", False, None)


@given(
    st.lists(st.tuples(st.integers(1, 10), st.floats(0.01, 1e6)), min_size=1, max_size=16),
    st.floats(-1e6, 1e6),
    st.floats(0.1, 1e6),
)
def test_every_score_lies_on_its_scale_and_within_its_interval(
    rows: list[tuple[int, float]], low: float, width: float
) -> None:
    criteria = [
        Criterion(id=f"c{k}", description="d", low=low, high=low + width, weight=weight)
        for k, (_, weight) in enumerate(rows)
    ]
    score = score_of(settled(asked(*criteria), *(distribution(**{f"_{n}": 1.0}) for n, _ in rows)))
    assert score.score is not None and score.low is not None and score.high is not None
    assert -1e-9 <= score.low <= score.score + 1e-6 and score.score - 1e-6 <= score.high <= 1 + 1e-9
    slack = 1e-6 * max(1.0, abs(low) + width)
    for one in score.criteria:
        assert isinstance(one, CriterionScore) and one.score is not None
        assert low - slack <= one.score <= low + width + slack


def test_a_rubric_is_needed_in_its_mode_and_refused_in_others() -> None:
    with pytest.raises(InvalidRequest, match="mode rubric needs a rubric: add its criteria"):
        check(replace(asked(), rubric=None))
    with pytest.raises(InvalidRequest, match="mode pairwise takes no rubric: .* use mode rubric"):
        check(replace(request(), rubric=asked().rubric))
    with pytest.raises(InvalidRequest, match="mode rubric takes 1 candidates, not 2"):
        check(replace(request(mode="rubric"), rubric=asked().rubric))


def test_a_template_without_the_form_is_refused_by_name() -> None:
    bare = Template(id="bare-v1", forms={"pair": CHAT.forms["pair"]}, markers=())
    with pytest.raises(UnsupportedMode, match="bare-v1 does not support mode rubric"):
        plan(asked(), RUBRIC, bare)


def test_the_prompts_of_a_request_differ_in_their_criterion_only() -> None:
    first, second = plan(asked(), RUBRIC, CHAT)
    assert isinstance(first, Pass)
    assert first.prompt.replace(FACTS.description, TONE.description) == second.prompt
