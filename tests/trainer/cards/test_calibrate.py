"""The fitted temperature recovers that of the data, and stays 1 when the data do not determine it."""

import math

import pytest
import torch

from judgestream_trainer.cards.calibrate import (
    LEAST_VERDICTS,
    evaluate_temperature,
    fit_temperature,
    global_minimum,
    golden_section,
    outcomes,
)


def overconfident(
    temperature: float, n: int = 800, seed: int = 4
) -> tuple[torch.Tensor, list[int]]:
    """Joints of a judge that is calibrated at `temperature`, and truths drawn from that distribution."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(n, 1, 10, 10, generator=generator, dtype=torch.float64)
    joints = logits.flatten(2).softmax(-1).view_as(logits).expand(n, 2, 10, 10).contiguous()
    drawn = torch.multinomial(outcomes(joints, temperature), 1, generator=generator)
    return joints, [1 - int(k) for k in drawn[:, 0]]


def alike(right: int, n: int) -> tuple[torch.Tensor, list[int]]:
    """`n` verdicts "first better" at confidence .6, `right` of them right."""
    joint = torch.full((10, 10), 0.0, dtype=torch.float64)
    joint[8, 2], joint[2, 8] = 0.6, 0.4
    return joint.expand(n, 2, 10, 10).clone(), [1] * right + [-1] * (n - right)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found_within_its_standard_error(temperature: float) -> None:
    joints, truths = overconfident(temperature)
    fitted = fit_temperature(joints, truths)
    assert fitted.reason == "" and fitted.error is not None
    assert abs(math.log(fitted.temperature / temperature)) < 3 * fitted.error + 0.05
    assert 0.005 < fitted.error < 0.2
    assert fitted.nll_after <= fitted.nll_before


def test_fitting_calibrates_an_overconfident_judge() -> None:
    fitted = fit_temperature(*overconfident(4.0))
    assert fitted.ece_after < fitted.ece_before / 2


def test_few_verdicts_of_a_calibrated_judge_move_the_temperature_little() -> None:
    """Without a prior 5 % of the fits to 100 verdicts are below .57 and 5 % above 1.45."""
    temperatures = sorted(
        fit_temperature(*overconfident(1.0, n=100, seed=seed)).temperature for seed in range(20)
    )
    assert 0.55 < temperatures[1] and temperatures[-2] < 1.6


@pytest.mark.parametrize(
    ("right", "n", "reason"),
    [
        (50, 50, "50 verdicts are too few"),
        (60, LEAST_VERDICTS - 1, "99 verdicts are too few"),
        (200, 200, "all of the 200 verdicts are right"),
        (0, 200, "none of the 200 verdicts are right"),
    ],
)
def test_the_temperature_stays_1_when_the_verdicts_do_not_determine_it(
    right: int, n: int, reason: str
) -> None:
    fitted = fit_temperature(*alike(right, n), unread=3)
    assert fitted.temperature == 1.0 and fitted.error is None
    assert reason in fitted.reason
    assert fitted.ece_before == fitted.ece_after
    assert fitted.unread == 3


def test_a_best_temperature_at_the_bound_is_not_used() -> None:
    """Nearly always right at confidence .6: the lower the temperature, the better the fit."""
    fitted = fit_temperature(*alike(990, 1000))
    assert fitted.temperature == 1.0
    assert "outside 0.25 to 8" in fitted.reason


def test_a_given_temperature_is_evaluated_unchanged() -> None:
    joints, truths = overconfident(2.0, n=300)
    assert evaluate_temperature(joints, truths, 1.7).temperature == 1.7


def test_outcomes_add_up_and_mirror() -> None:
    joints, _ = overconfident(1.0, n=20)
    found = outcomes(joints, 1.7)
    torch.testing.assert_close(found.sum(1), torch.ones(20, dtype=torch.float64))
    torch.testing.assert_close(outcomes(joints.transpose(2, 3), 1.7), found.flip(1))


def test_golden_section_finds_a_minimum_and_the_grid_the_lowest_of_several() -> None:
    assert golden_section(lambda x: (x - 0.3) ** 2, -2.0, 5.0) == pytest.approx(0.3, abs=1e-6)
    assert math.isclose(golden_section(lambda x: x, 1.0, 2.0), 1.0, abs_tol=1e-6)

    def two_valleys(x: float) -> float:
        return min((x - 1.0) ** 2, (x - 4.0) ** 2 - 0.1)

    assert global_minimum(two_valleys, -2.0, 5.0, 51) == pytest.approx(4.0, abs=1e-6)


def test_nothing_to_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_temperature(torch.zeros(0, 2, 10, 10), [])
