"""Attack success rate: the paper's two definitions, |V|, and what a judge that votes at random shows."""

import pytest

from judgestream.core.preference import Preference
from judgestream.evaluation.attack import (
    Perturbation,
    attack_success,
    expected_success,
    random_judge,
    settled,
    settled_chances,
)

FIRST, TIE, SECOND = Preference


def test_a_random_judge_is_exact() -> None:
    found = random_judge()
    assert round(float(found.tie), 4) == 0.1934
    assert round(float(found.rates[Perturbation.AGNOSTIC]), 4) == 0.4033
    assert round(float(found.rates[Perturbation.RELATED]), 4) == 0.5967


def test_votes_settle_by_their_mean() -> None:
    assert settled([FIRST, FIRST, SECOND]) is FIRST
    assert settled([FIRST, SECOND, TIE]) is TIE
    assert settled([SECOND, TIE, TIE]) is SECOND
    with pytest.raises(ValueError, match="no votes"):
        settled([])


CONTROL = [FIRST, FIRST, TIE, SECOND, SECOND, None]
AFTER = [FIRST, SECOND, SECOND, FIRST, TIE, SECOND]


def test_an_attack_that_keeps_the_meaning_succeeds_where_it_now_wins() -> None:
    found = attack_success(Perturbation.AGNOSTIC, CONTROL, AFTER)
    assert (found.pairs, found.at_risk, found.successes) == (5, 3, 2)
    assert found.rate is not None and found.rate.value == pytest.approx(2 / 3)


def test_an_attack_that_makes_it_worse_succeeds_where_it_does_not_lose() -> None:
    found = attack_success(Perturbation.RELATED, CONTROL, AFTER)
    assert (found.pairs, found.at_risk, found.successes) == (5, 3, 2)
    assert found.rate is not None and found.rate.interval is not None


def test_without_a_pair_at_risk_there_is_no_rate() -> None:
    found = attack_success(Perturbation.AGNOSTIC, [SECOND], [SECOND])
    assert (found.at_risk, found.rate) == (0, None)


def test_pairs_on_one_prompt_are_one_observation() -> None:
    rate = attack_success(
        Perturbation.AGNOSTIC,
        [FIRST] * 40,
        [SECOND] * 20 + [FIRST] * 20,
        [k // 10 for k in range(40)],
    ).rate
    assert rate is not None and rate.clusters == 4
    assert rate.design_effect > 5


UNIFORM = dict.fromkeys(Preference, 1 / 3)


@pytest.mark.parametrize("scale", [1.0, 0.25])
def test_six_votes_of_uniform_orders_are_those_of_a_random_judge(scale: float) -> None:
    """Probabilities that do not sum to 1 leave out replies without a vote."""
    exact = random_judge()
    votes = settled_chances([{side: scale / 3 for side in Preference}, UNIFORM])
    assert votes[TIE] == pytest.approx(float(exact.tie))
    for kind in Perturbation:
        found = expected_success(kind, [votes, votes], [votes, votes])
        assert found == pytest.approx(float(exact.rates[kind]))


def test_certain_votes_settle_as_they_do() -> None:
    for straight in Preference:
        for swapped in Preference:
            votes = settled_chances([{straight: 1.0}, {swapped: 1.0}])
            assert votes[settled([straight] * 3 + [swapped] * 3)] == 1.0


def test_two_votes_worked_by_hand() -> None:
    """One vote of each order: FIRST with .6 else SECOND, then FIRST with .5 else TIE.

    FIRST and FIRST or TIE: .6. SECOND and FIRST: a tie, .2. SECOND and TIE: .2.
    """
    votes = settled_chances([{FIRST: 0.6, SECOND: 0.4}, {FIRST: 0.5, TIE: 0.5}], votes=2)
    assert votes == pytest.approx({FIRST: 0.6, TIE: 0.2, SECOND: 0.2})
    certain = {FIRST: 0.0, TIE: 0.0, SECOND: 1.0}
    # at risk (agnostic): .8 of the first pair and none of the second; the attack wins .2 of the first
    assert expected_success(Perturbation.AGNOSTIC, [votes, certain], [votes, certain]) == (
        pytest.approx(0.2)
    )
    assert expected_success(Perturbation.AGNOSTIC, [certain], [votes]) is None


def test_votes_that_cannot_be_shared_or_cast_are_refused() -> None:
    with pytest.raises(ValueError, match="5 votes cannot be shared equally by 2 orders"):
        settled_chances([UNIFORM, UNIFORM], votes=5)
    with pytest.raises(ValueError, match="no vote has a probability"):
        settled_chances([UNIFORM, dict.fromkeys(Preference, 0.0)])
