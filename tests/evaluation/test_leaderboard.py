"""The leaderboard: what is a battle, ratings, ranks, and style control."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from judgestream.core.preference import Preference
from judgestream.core.types import PROBE_KEY, CandidateScore, Status, Style, Verdict
from judgestream.evaluation.leaderboard import (
    CENTRE,
    MOST_SYSTEMS,
    PER_NAT,
    Battle,
    Skipped,
    battle_of,
    leaderboard,
)
from judgestream.evaluation.self_preference import gain_over_labels, own_side, self_preference
from judgestream.evaluation.style_control import (
    standardised,
    style_difference,
    style_effects,
    styled_pair,
)

FIRST, TIE, SECOND = Preference
NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
SCORED = Verdict(
    verdict_id="v",
    request_id="r",
    mode="pairwise",
    status=Status.SCORED,
    requested_at=NOON,
    judged_at=NOON,
    winner="a",
    scores=(
        CandidateScore(candidate_id="a", score=8.0, system="one", style=Style(words=10)),
        CandidateScore(candidate_id="b", score=6.0, system="two", style=Style(words=20)),
    ),
    prompt_digest="p",
)
A, B = SCORED.scores


def battle(first: str, second: str, outcome: Preference, prompt: str = "p") -> Battle:
    return Battle(
        first=first, second=second, outcome=outcome, cluster=("prompt", prompt), styles=None
    )


def test_a_battle() -> None:
    found = battle_of(SCORED)
    assert isinstance(found, Battle)
    assert (found.first, found.second, found.outcome) == ("one", "two", FIRST)
    assert found.cluster == ("prompt", "p")
    assert found.styles == (Style(words=10), Style(words=20))


@pytest.mark.parametrize(
    ("verdict", "reason"),
    [
        pytest.param(replace(SCORED, metadata={PROBE_KEY: "x"}), Skipped.NOT_COUNTED, id="probe"),
        pytest.param(replace(SCORED, mode="follow_up"), Skipped.NOT_COUNTED, id="follow-up"),
        pytest.param(
            replace(SCORED, status=Status.UNSCORED, winner=""), Skipped.NOT_SCORED, id="unscored"
        ),
        pytest.param(
            replace(SCORED, status=Status.FAILED, winner="", scores=()),
            Skipped.NOT_SCORED,
            id="failed",
        ),
        pytest.param(replace(SCORED, scores=(A,)), Skipped.NOT_A_PAIR, id="one answer"),
        pytest.param(replace(SCORED, mode="rerank"), Skipped.NOT_A_PAIR, id="documents"),
        pytest.param(replace(SCORED, winner="z"), Skipped.NOT_A_PAIR, id="an unknown winner"),
        pytest.param(
            replace(SCORED, scores=(A, replace(B, system=""))), Skipped.NO_SYSTEM, id="no system"
        ),
        pytest.param(
            replace(SCORED, scores=(A, replace(B, system="one"))), Skipped.SAME_SYSTEM, id="same"
        ),
    ],
)
def test_what_is_not_a_battle(verdict: Verdict, reason: Skipped) -> None:
    assert battle_of(verdict) is reason


def test_ratings_of_two_systems_by_hand() -> None:
    """30 wins to 10 with a weak prior: log-odds near ln 3, half above and half below the mean."""
    rows = [battle("x", "y", FIRST if k < 30 else SECOND, str(k)) for k in range(40)]
    board = leaderboard([*rows, Skipped.NO_SYSTEM])
    best, worst = board.places
    assert (best.system, best.rank, worst.rank) == ("x", 1, 2)
    assert best.rating.value - CENTRE == pytest.approx(PER_NAT * 1.0986 / 2, rel=0.06)
    assert best.rating.value + worst.rating.value == pytest.approx(2 * CENTRE)
    assert (best.battles, best.win_rate.value) == (40, 0.75)
    assert (board.tie_rate, board.prompts, board.skipped) == (0.0, 40, {Skipped.NO_SYSTEM: 1})


def test_overlapping_systems_share_a_rank() -> None:
    rows = [
        battle("strong", other, FIRST, f"{other}{k}") for other in ("a", "b") for k in range(40)
    ]
    rows += [battle("a", "b", (FIRST, TIE, SECOND)[k % 3], f"ab{k}") for k in range(30)]
    assert {one.system: one.rank for one in leaderboard(rows).places} == {
        "strong": 1,
        "a": 2,
        "b": 2,
    }


def test_the_board_does_not_depend_on_the_order_of_arrival() -> None:
    draw = random.Random(1)
    rows: list[Battle] = []
    for k in range(60):
        first, second = draw.sample(("a", "b", "c"), 2)
        styles = (Style(words=draw.randrange(9)), Style(words=draw.randrange(9)))
        outcome = draw.choice((FIRST, TIE, SECOND))
        rows.append(replace(battle(first, second, outcome, str(k // 3)), styles=styles))
    boards = []
    for _ in range(3):
        draw.shuffle(rows)
        boards.append(leaderboard(rows, style_control=True))
        boards.append(leaderboard(rows, resamples=40, seed=2))
    assert boards[0] == boards[2] == boards[4]
    assert boards[1] == boards[3] == boards[5]


def test_style_control_sees_through_length() -> None:
    """`long` wins only because it is longer: equal to the others once style is controlled."""
    draw = random.Random(7)
    rows: list[Battle] = []
    for k in range(600):
        first, second = draw.sample(("long", "short", "other"), 2)
        styles = tuple(
            Style(words=draw.randint(150, 400) if one == "long" else draw.randint(50, 250))
            for one in (first, second)
        )
        won = draw.random() < 1 / (1 + 2.718 ** (-3 * style_difference(*styles)[0]))
        outcome = FIRST if won else SECOND
        rows.append(replace(battle(first, second, outcome, str(k)), styles=(styles[0], styles[1])))
    plain, controlled = leaderboard(rows), leaderboard(rows, style_control=True)
    assert plain.style == {}
    assert plain.places[0].system == "long" and plain.places[0].rating.value > CENTRE + 60
    rating = next(one.rating for one in controlled.places if one.system == "long")
    assert rating.interval is not None
    assert rating.interval.low < CENTRE < rating.interval.high
    words = controlled.style["words"]
    assert words is not None and words.interval is not None and words.interval.low > 0.3
    assert controlled.style["bold"] is None


def test_battles_without_style_are_left_out_of_style_control() -> None:
    rows = [battle("a", "b", FIRST)]
    board = leaderboard(rows, style_control=True)
    assert (board.battles, board.skipped) == (0, {Skipped.NO_STYLE: 1})
    assert leaderboard([]).places == ()


def test_style_differences_are_normalised_and_antisymmetric() -> None:
    one, other = Style(words=30, headers=1), Style(words=9, bold=2)
    found = style_difference(one, other)
    assert found == (21 / 40, 1 / 2, 0.0, -2 / 3)
    assert style_difference(other, one) == tuple(-value for value in found)
    scaled, kept = standardised([found, (0.0, 0.5, 0.0, 0.0)])
    assert kept == (True, True, False, True)
    assert scaled[1] == (0.0, 1.0, 0.0)
    assert standardised([]) == ([], ())


@pytest.mark.no_cover
def test_a_board_has_a_bounded_number_of_systems() -> None:
    crowd = [battle(f"s{k:04}", "common", FIRST, str(k)) for k in range(400)]
    regulars = [battle("x", "common", SECOND, f"x{k}") for k in range(20)]
    board = leaderboard([*crowd, *regulars])
    assert len(board.places) == MOST_SYSTEMS
    assert board.skipped == {Skipped.RARE_SYSTEM: 302}  # s0098 and later ones
    assert {"x", "common", "s0000"} <= {one.system for one in board.places}


def test_style_effects_need_no_systems() -> None:
    strangers = replace(
        SCORED, scores=(replace(A, system=""), replace(B, system="", style=Style(words=99)))
    )
    one = styled_pair(strangers)
    assert one is not None and one.outcome is FIRST and one.difference[0] < 0
    found = style_effects([one] * 6)
    assert found is not None and (found.pairs, found.prompts) == (6, 1)
    words = found.features["words"]
    assert words is not None and words.value < 0 and found.features["bold"] is None
    assert style_effects([]) is None
    unknown = replace(strangers, scores=(A, replace(B, style=None)))
    for other in (unknown, replace(SCORED, status=Status.UNSCORED), replace(SCORED, mode="rerank")):
        assert styled_pair(other) is None


class TestSelfPreference:
    def test_the_side_of_the_judges_family(self) -> None:
        assert own_side("gpt-4", "gpt-3.5", "claude-3") == 1
        assert own_side("gpt-4", "claude-3", "chatgpt") == -1
        assert own_side("gpt-4", "gpt-3.5", "chatgpt") == 0
        assert own_side("7", "gpt-3.5", "claude-3") == 0
        assert own_side("house-judge", "acme-1", "gpt-4", {"acme": ["house", "acme"]}) == 1

    @pytest.mark.parametrize(
        ("verdicts", "gain"),
        [([FIRST] * 4, 0.5), ([TIE] * 4, 0.0), ([SECOND, SECOND, TIE, TIE], -0.25)],
    )
    def test_gain_over_labels(self, verdicts: Sequence[Preference], gain: float) -> None:
        """The family is first in all but the last pair, which does not count."""
        labels = [TIE] * 4
        found = gain_over_labels([*verdicts, FIRST], [*labels, TIE], [1, 1, 1, 1, 0])
        assert found is not None and (found.n, found.value) == (4, gain)
        mirrored = [one.mirrored for one in verdicts]
        other = gain_over_labels(mirrored, labels, [-1] * 4)
        assert other is not None and other.value == gain
        assert gain_over_labels(verdicts, labels, [0] * 4) is None

    def test_it_takes_judges_of_two_families(self) -> None:
        rows = [("gpt-4", battle("gpt-3.5", "claude-3", FIRST, str(k))) for k in range(9)]
        assert self_preference(rows) is None
        strangers = [("gpt-4", battle("x", "y", FIRST)), ("claude", battle("x", "y", FIRST))]
        assert self_preference(strangers) is None
        both = [*rows, *(("claude-3", replace(one, outcome=SECOND)) for _, one in rows)]
        found = self_preference(both)
        assert found is not None
        assert (found.own, found.battles, found.judges) == (18, 18, ("claude", "gpt"))
        assert found.log_odds.value > 1.0

    def test_with_style_control(self) -> None:
        styles = (Style(words=20), Style(words=30))
        rows = [
            (judge, replace(battle("gpt-3.5", "claude-3", outcome, str(k)), styles=styles))
            for k in range(20)
            for judge, outcome in (("gpt-4", FIRST), ("claude-2", SECOND if k % 4 else FIRST))
        ]
        found = self_preference(
            [*rows, ("gpt-4", battle("gpt-3.5", "x", FIRST))], style_control=True
        )
        assert found is not None and found.battles == 40
        assert found.log_odds.value > 0.5
