"""Every estimator recovers a known bias in at least 93 of 100 repeats."""

import pytest

from tests.evaluation.simulate_biases import BIASES, recovered


@pytest.mark.no_cover
@pytest.mark.parametrize("bias", BIASES)
def test_the_truth_lies_inside_the_interval(bias: str) -> None:
    found = recovered(bias, 100)
    assert min(found.values()) >= 0.93, found
