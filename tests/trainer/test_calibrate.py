"""The fitted temperature finds the one that the data was made with, and improves what it minimises."""

import math

import pytest
import torch

from trainer.calibrate import fit_temperature, least, outcomes


def overconfident(temperature: float, n: int = 3000) -> tuple[torch.Tensor, list[int]]:
    """Joints of a judge whose honest probabilities are its own at `temperature`, and truths drawn so."""
    generator = torch.Generator().manual_seed(4)
    logits = 2 * torch.randn(n, 1, 10, 10, generator=generator, dtype=torch.float64)
    joints = logits.flatten(2).softmax(-1).view_as(logits).expand(n, 2, 10, 10).contiguous()
    drawn = torch.multinomial(outcomes(joints, temperature), 1, generator=generator)
    return joints, [1 - int(k) for k in drawn[:, 0]]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(temperature: float) -> None:
    joints, truths = overconfident(temperature)
    fitted = fit_temperature(joints, truths)
    assert fitted.temperature == pytest.approx(temperature, rel=0.25)
    assert fitted.nll_after <= fitted.nll_before


def test_an_overconfident_judge_becomes_honest() -> None:
    fitted = fit_temperature(*overconfident(4.0))
    assert fitted.ece_after < fitted.ece_before / 2


def test_outcomes_add_up_and_mirror() -> None:
    joints, _ = overconfident(1.0, n=20)
    found = outcomes(joints, 1.7)
    torch.testing.assert_close(found.sum(1), torch.ones(20, dtype=torch.float64))
    torch.testing.assert_close(outcomes(joints.transpose(2, 3), 1.7), found.flip(1))


def test_golden_section_finds_the_valley() -> None:
    assert least(lambda x: (x - 0.3) ** 2, -2.0, 5.0) == pytest.approx(0.3, abs=1e-6)
    assert math.isclose(least(lambda x: x, 1.0, 2.0), 1.0, abs_tol=1e-6)


def test_nothing_to_fit_is_an_error() -> None:
    with pytest.raises(ValueError, match="nothing to fit"):
        fit_temperature(torch.zeros(0, 2, 10, 10), [])
