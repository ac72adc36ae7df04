"""The page of a card: which sections it has, and what it says of the calibration."""

from collections.abc import Sequence
from typing import Any

import pytest

from judgestream.core.preference import Preference
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream_trainer.cards.page import calibration_lines, render_page
from judgestream_trainer.cards.results import JudgeResults, results_of

FITTED: dict[str, Any] = {
    "temperature": 2.0,
    "n": 300,
    "error": 0.1,
    "unread": 4,
    "reason": "",
    "ece_before": 0.2,
    "ece_after": 0.1,
    "nll_before": 0.9,
    "nll_after": 0.8,
}


def judged(group: str, truths: Sequence[Preference]) -> list[PairOutcome]:
    return [
        PairOutcome(
            group=group,
            truth=truth,
            verdict=Preference.FIRST,
            straight=Preference.FIRST,
            swapped=Preference.FIRST,
            confidence=0.75,
        )
        for truth in truths
    ]


def results(*groups: str) -> JudgeResults:
    truths = (Preference.FIRST, Preference.TIE, Preference.SECOND, Preference.FIRST)
    return results_of({"without_reference": [o for group in groups for o in judged(group, truths)]})


def test_counts_and_bins_of_the_results_are_those_of_the_verdicts() -> None:
    measured = results("a")
    assert measured.confusion["without_reference"] == [[2, 0, 0], [1, 0, 0], [1, 0, 0]]
    (only,) = measured.reliability["without_reference"]
    assert (only.n, only.confidence, only.right) == (4, 0.75, 0.5)


@pytest.mark.parametrize(("groups", "shown"), [(("a",), False), (("a", "b"), True)])
def test_the_group_table_needs_two_groups(groups: tuple[str, ...], shown: bool) -> None:
    page = render_page(results(*groups), front=["# T"], measured_on="", calibration=None)
    assert ("### Without reference, by group" in page) == shown


def test_empty_sections_are_left_out_and_the_rest_are_one_line_apart() -> None:
    page = render_page(
        results("a"),
        front=["# T"],
        measured_on="Four items.",
        details=([], ["### D"]),
        calibration=None,
        back=([], ["## B"]),
    )
    assert page.startswith("# T\n\n## Figures\n\nFour items. Accuracy") and page.endswith("## B\n")
    assert "\n\n\n" not in page and "Ablation" not in page and "\n\n### D\n\n" in page


def test_the_calibration_gives_the_temperature_with_its_interval_and_effect() -> None:
    (line,) = calibration_lines(FITTED)
    # exp(-+1.96 * 0.1) * 2 = 1.644, 2.433
    assert "Temperature 2.0 [1.644, 2.433]" in line
    assert "300 other held-out verdicts (4 unreadable replies left out)" in line
    assert "from 0.200 to 0.100" in line and "from 0.900 to 0.800" in line


def test_a_record_without_the_effect_says_nothing_about_it() -> None:
    (line,) = calibration_lines({"temperature": 2.0, "n": 300})
    assert line.startswith("Temperature 2.0 on the joint") and "changes" not in line


def test_a_temperature_that_was_not_fitted_is_given_with_its_reason() -> None:
    (line,) = calibration_lines({**FITTED, "temperature": 1.0, "reason": "5 verdicts are too few"})
    assert line.startswith("None (temperature 1): 5 verdicts are too few. Held-out verdicts: 300")


def test_a_judge_without_calibration_says_so() -> None:
    assert calibration_lines(None) == ["None: the probabilities are those of the model."]
