"""Attack success rate: the paper's two definitions, |V|, and what a judge that votes at random shows."""

import pytest

from judgestream.core.preference import Preference
from judgestream.evaluation.attack import (
    Perturbation,
    attack_success,
    random_judge,
    settled,
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
