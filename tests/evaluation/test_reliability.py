"""Reliability bins, worked by hand."""

import pytest

from judgestream.evaluation.reliability import Bin, reliability


def test_bins_hold_count_mean_confidence_and_the_share_that_is_right() -> None:
    bins = reliability([0.62, 0.68, 0.95, 1.0], [True, False, True, True])
    assert [found.n for found in bins] == [2, 2]
    assert [found.confidence for found in bins] == pytest.approx([0.65, 0.975])
    assert [found.right for found in bins] == [0.5, 1.0]


def test_bins_come_in_order_of_confidence_whatever_the_order_of_the_verdicts() -> None:
    assert reliability([0.9, 0.1], [True, False], bins=2) == [
        Bin(n=1, confidence=0.1, right=0.0),
        Bin(n=1, confidence=0.9, right=1.0),
    ]


def test_no_verdicts_give_no_bins() -> None:
    assert reliability([], []) == []


def test_lists_of_different_lengths_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        reliability([0.5], [])
