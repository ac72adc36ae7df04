"""Counts of the style, reference and scores probes, worked by hand."""

from dataclasses import replace

import pytest

from judgestream.core.types import MemberReading, PassResult, Status, Style, Verdict
from judgestream.evaluation.probes.reference import REFERENCE
from judgestream.evaluation.probes.scores import BINS, SCORES, bin_of
from judgestream.evaluation.probes.style import STYLE
from tests.core.build import EQUAL, FIRST, SECOND, UNREAD, result, verdict


def styled(winner: str, first: Style | None, second: Style | None) -> Verdict:
    one = verdict(winner=winner, tie=not winner)
    a, b = one.scores
    return replace(one, scores=(replace(a, style=first), replace(b, style=second)))


class TestStyle:
    def test_the_winner_has_more_or_less(self) -> None:
        one = styled("a", Style(headers=2, bold=1, list_items=3), Style(bold=4, list_items=3))
        assert STYLE.observe(one) == {
            "headers_pairs": 1,
            "more_headers_won": 1,
            "bold_pairs": 1,
            "more_bold_won": 0,
        }

    @pytest.mark.parametrize(
        "one",
        [
            pytest.param(styled("", Style(bold=1), Style()), id="tie"),
            pytest.param(styled("a", None, Style(bold=1)), id="unknown style"),
            pytest.param(styled("z", Style(bold=1), Style()), id="an unknown winner"),
            pytest.param(
                replace(styled("a", Style(bold=1), Style()), status=Status.UNSCORED), id="unscored"
            ),
            pytest.param(
                replace(styled("a", Style(bold=1), Style()), mode="rerank"), id="documents"
            ),
        ],
    )
    def test_what_does_not_count(self, one: Verdict) -> None:
        assert STYLE.observe(one) == {}


REFERENCED = (result("straight+reference", FIRST), result("swapped+reference", FIRST))


class TestReference:
    @pytest.mark.parametrize(
        ("without", "changed", "turned"),
        [
            ((result("straight", FIRST), result("swapped", FIRST)), 0, 0),
            ((result("straight", EQUAL), result("swapped", EQUAL)), 1, 0),
            ((result("straight", SECOND), result("swapped", SECOND)), 1, 1),
        ],
    )
    def test_the_preference_with_and_without(
        self, without: tuple[PassResult, ...], changed: int, turned: int
    ) -> None:
        assert REFERENCE.observe(verdict(passes=(*REFERENCED, *without))) == {
            "both_ways": 1,
            "reference_changed": changed,
            "reference_turned": turned,
        }

    @pytest.mark.parametrize(
        "without",
        [
            pytest.param((), id="with the reference only"),
            pytest.param((result("straight", FIRST),), id="other orders"),
            pytest.param((result("straight", UNREAD), result("swapped", FIRST)), id="unread"),
        ],
    )
    def test_what_does_not_count(self, without: tuple[PassResult, ...]) -> None:
        assert REFERENCE.observe(verdict(passes=(*REFERENCED, *without))) == {}

    def test_two_ties_are_no_change(self) -> None:
        passes = (result("straight+reference", EQUAL), result("straight", EQUAL))
        assert REFERENCE.observe(verdict(passes=passes))["reference_turned"] == 0

    def test_a_jurys_passes_are_of_several_judges(self) -> None:
        one = verdict(passes=(*REFERENCED, result("straight", FIRST), result("swapped", FIRST)))
        jury = replace(one, members=(MemberReading(release="m", status=Status.SCORED),))
        assert REFERENCE.observe(jury) == {}


def graded(*scores: float | None) -> Verdict:
    one = verdict(winner="a")
    known = one.scores[: len(scores)]
    return replace(
        one, scores=tuple(replace(a, score=s) for a, s in zip(known, scores, strict=True))
    )


class TestScores:
    @pytest.mark.parametrize(
        ("score", "bin_"), [(1.0, 0), (2.49, 0), (2.5, 1), (6.49, 2), (8.5, 4), (10.0, 4)]
    )
    def test_bins_by_nearest_whole_number(self, score: float, bin_: int) -> None:
        assert bin_of(score) == BINS[bin_]

    def test_scores_at_one_end_do_not_separate(self) -> None:
        assert SCORES.observe(graded(9.2, 10.0)) == {
            "graded": 1,
            "saturated": 1,
            "scores_nine_ten": 2,
        }
        assert SCORES.observe(graded(1.2, 9.9))["saturated"] == 0
        assert SCORES.observe(graded(5.0, 5.0))["saturated"] == 0
        assert SCORES.observe(graded(1.4))["saturated"] == 1

    @pytest.mark.parametrize(
        "one",
        [
            pytest.param(graded(0.4, 0.9), id="another scale"),
            pytest.param(graded(7.0, None), id="unscored answer"),
            pytest.param(replace(graded(7.0, 8.0), method="reward"), id="reward model"),
            pytest.param(replace(graded(7.0, 8.0), mode="rubric"), id="rubric"),
            pytest.param(replace(graded(7.0, 8.0), status=Status.UNSCORED), id="unscored"),
            pytest.param(
                replace(
                    graded(1.0, 2.0),
                    scores=tuple(replace(s, low=0.5, high=2.5) for s in graded(1.0, 2.0).scores),
                ),
                id="strengths of a tournament",
            ),
        ],
    )
    def test_other_scales_do_not_count(self, one: Verdict) -> None:
        assert SCORES.observe(one) == {}
