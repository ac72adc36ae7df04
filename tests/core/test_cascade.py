"""A cascade: which members are asked, whose verdict is the jury's, and what that costs."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.cascade import is_sure, turns
from judgestream.core.errors import ConfigurationError, JudgestreamError, RejectedByJudge
from judgestream.core.jury import Juror, JuryRecord, JuryRule
from judgestream.core.jury_settling import Outcome
from judgestream.core.jury_verdict import jury_verdict
from judgestream.core.modes import MODES
from judgestream.core.types import Status, Verdict
from tests.core.test_jury import EFFORT, JURY, NAMES, PAIR, judged, member, release

Result = Verdict | JudgestreamError
VOTE = JuryRule.MEAN
REFUSED = RejectedByJudge("content policy")
UNREAD = judged("b", "I like both.", "5 5")


def cascade(
    count: int = 3, *, below: float = 0.8, then: JuryRule | None = None, quorum: int = 1
) -> JuryRecord:
    return JuryRecord(
        rule=JuryRule.CASCADE,
        members=tuple(Juror(release=name) for name in NAMES[:count]),
        quorum=quorum,
        below=below,
        then=then,
    )


def pair(p_win: float, cost: float | None = None) -> Verdict:
    """A scored verdict with this P(win) and no tie."""
    chances = (p_win, 0.0, 1 - p_win)
    return replace(member("a", *chances), confidence=max(chances), cost=cost)


def run(record: JuryRecord, results: list[Result]) -> Verdict:
    """What a worker makes of members with these results."""
    heard: list[Outcome] = []
    for turn in turns(record):
        for k in turn:
            juror = record.members[k]
            heard.append(Outcome(juror=juror, release=release(juror.release), result=results[k]))
        if is_sure(record, heard[-1].result):
            break
    return jury_verdict(
        request=PAIR,
        mode=MODES["pairwise"],
        release=JURY,
        record=record,
        outcomes=heard,
        effort=EFFORT,
        verdict_id="v",
        content_digest="c",
    )


@pytest.mark.parametrize(
    ("then", "results", "asked", "p_win"),
    [
        (None, [pair(0.9), pair(0.1), pair(0.1)], 1, 0.9),
        (None, [pair(0.8), pair(0.1), pair(0.1)], 1, 0.8),  # the bound itself is sure
        (None, [pair(0.79), pair(0.1), pair(0.9)], 2, 0.1),
        (None, [pair(0.6), pair(0.6), pair(0.3)], 3, 0.3),  # without a sure member, the last one
        (None, [UNREAD, pair(0.1), pair(0.9)], 2, 0.1),
        (None, [REFUSED, UNREAD, pair(0.6)], 3, 0.6),
        (None, [pair(0.6), REFUSED, UNREAD], 3, 0.6),  # the last one that is scored
        (VOTE, [pair(0.9), pair(0.1), pair(0.1)], 1, 0.9),
        (VOTE, [pair(0.6), pair(0.9), pair(0.3)], 3, 0.6),
        (VOTE, [REFUSED, pair(0.9), pair(0.3)], 3, 0.6),
        (VOTE, [pair(0.6), REFUSED, UNREAD], 3, 0.6),
        (JuryRule.MAJORITY, [pair(0.6), pair(0.1), pair(0.9)], 3, 2 / 3),
    ],
    ids=[
        "sure",
        "at-the-bound",
        "second",
        "nobody",
        "unread",
        "refused",
        "others-refuse",
        "vote-sure",
        "vote",
        "vote-refused",
        "vote-others-refuse",
        "majority",
    ],
)
def test_who_is_asked_and_what_the_jury_finds(
    then: JuryRule | None, results: list[Result], asked: int, p_win: float
) -> None:
    found = run(cascade(then=then), results)
    assert found.status is Status.SCORED and len(found.members) == asked
    assert found.p_win == pytest.approx(p_win)
    assert found.winner == ("x" if p_win > 0.5 else "y")
    assert found.confidence == pytest.approx(max(p_win, 1 - p_win))


def test_the_deciding_members_verdict_is_the_jurys_as_it_is() -> None:
    large = replace(
        judged("b", "2 7", "7 2", cost=0.25),
        method="reward",
        explanation="clearly",
        answers_cut_to=50,
    )
    small = replace(pair(0.6), explanation="perhaps", method="log_odds", answers_cut_to=20)
    found = run(cascade(), [small, large, pair(0.9)])
    for name in ("winner", "scores", "flipped", "confidence", "method", "explanation"):
        assert getattr(found, name) == getattr(large, name), name
    assert (found.answers_cut_to, found.cost, found.release) == (50, 0.5, JURY.name)


def test_a_cascade_without_a_scored_verdict_is_unscored_or_refused() -> None:
    found = run(cascade(), [REFUSED, UNREAD, REFUSED])
    assert found.status is Status.UNSCORED and found.winner == ""
    assert found.reason.startswith("quorum: 0 of 3 scored, 1 needed (a: rejected_by_judge; b:")
    with pytest.raises(RejectedByJudge):
        run(cascade(), [REFUSED, REFUSED, REFUSED])
    unmet = run(cascade(then=VOTE, quorum=2), [pair(0.6), REFUSED, UNREAD])
    assert unmet.status is Status.UNSCORED and "1 of 3 scored, 2 needed" in unmet.reason
    sure = run(cascade(then=VOTE, quorum=2), [pair(0.9), REFUSED, UNREAD])
    assert sure.status is Status.SCORED, "a sure first member decides alone"


def test_a_verdict_without_a_confidence_is_not_sure() -> None:
    assert not is_sure(cascade(), replace(pair(0.9), confidence=None))
    assert not is_sure(cascade(), replace(pair(0.9), confidence=float("nan")))


results = st.lists(
    st.one_of(
        st.just(UNREAD),
        st.just(REFUSED),
        st.builds(pair, st.floats(0, 1), st.floats(0, 10)),
    ),
    min_size=2,
    max_size=4,
).filter(lambda each: any(isinstance(one, Verdict) for one in each))


@given(results, st.floats(0.01, 1), st.sampled_from([None, JuryRule.MAJORITY, JuryRule.MEAN]))
def test_a_cascade_never_costs_more_than_all_its_members(
    each: list[Result], below: float, then: JuryRule | None
) -> None:
    found = run(cascade(len(each), below=below, then=then), each)
    costs = [one.cost or 0.0 for one in each if isinstance(one, Verdict)]
    assert (found.cost or 0.0) <= sum(costs) + 1e-9
    tokens = sum(one.input_tokens for one in each if isinstance(one, Verdict))
    assert found.input_tokens <= tokens


def test_the_record_survives_a_model_configuration_and_its_digest_covers_order_bound_and_vote() -> (
    None
):
    made = [
        cascade(2),
        cascade(2, below=0.7),
        cascade(2, then=VOTE),
        cascade(2, then=JuryRule.MAJORITY),
        replace(cascade(2), members=cascade(2).members[::-1]),
    ]
    digests = {"a": "1", "b": "2"}
    assert len({one.digest(digests) for one in made}) == len(made)
    for one in made:
        assert JuryRecord.of(one.parameters()) == one


def test_the_digest_of_an_older_record_is_unchanged() -> None:
    older = {
        "rule": "mean",
        "quorum": "2",
        "members": '[{"release": "b", "weight": 1.0}, {"release": "a", "weight": 1.0}]',
    }
    # sha256 of ["mean", 2, [["1", 1.0], ["2", 1.0]]]
    digest = JuryRecord.of(older).digest({"a": "1", "b": "2"})
    assert digest == "cdee98632a454deaf36f9d0b57e526ea3e853abf4b50c91c88b653b0a1320fb0"


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"below": 0.0}, "--below"),
        ({"below": float("nan")}, "--below"),
        ({"below": 80.0}, "at most 1"),
        ({"quorum": 2}, "--quorum"),
        ({"then": JuryRule.CASCADE}, "--then"),
        ({"rule": JuryRule.MEAN}, "--rule cascade"),
        ({"rule": JuryRule.MEAN, "below": 0.0, "then": VOTE}, "--rule cascade"),
    ],
    ids=["no-bound", "nan", "percent", "quorum", "cascade", "other-rule", "other-vote"],
)
def test_impossible_cascades_are_refused(change: dict[str, object], fix: str) -> None:
    with pytest.raises(ConfigurationError, match=fix):
        replace(cascade(2), **change)  # type: ignore[arg-type]
