"""Figures of known-answer probes: the right verdicts, the attacks, and what is left out."""

import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from judgestream.core.known_answers import (
    KNOWN_ANSWERS,
    NAME_KEY,
    OF_KEY,
    PERTURBED_KEY,
    Pairing,
)
from judgestream.core.preference import Preference
from judgestream.core.types import PROBE_KEY, CandidateScore, Status, Verdict
from judgestream.evaluation.attack import settled
from judgestream.evaluation.known_answers import (
    KnownAnswerFigures,
    control_of,
    is_right,
    known_answer_figures,
)

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
FIRST, TIE, SECOND = Preference


def verdict(request_id: str, side: Preference, ids: tuple[str, str] = ("a", "b")) -> Verdict:
    return Verdict(
        verdict_id=f"v-{request_id}",
        request_id=request_id,
        mode="pairwise",
        status=Status.SCORED,
        requested_at=NOON,
        judged_at=NOON,
        release="judge",
        winner=side.winner(ids),
        tie=side is TIE,
        scores=tuple(CandidateScore(candidate_id=one, score=5.0) for one in ids),
    )


def probe(name: str, of: str, side: Preference, perturbed: str = "b") -> Verdict:
    itself = KNOWN_ANSWERS[name].pairing is Pairing.ITSELF
    ids = ("original", "changed") if itself else ("a", "b")
    marks = {
        PROBE_KEY: "known-answer",
        NAME_KEY: name,
        OF_KEY: of,
        PERTURBED_KEY: "changed" if itself else perturbed,
    }
    return replace(verdict(f"probe-{name}-{of}", side, ids), metadata=marks)


def figures(
    probes: Sequence[Verdict], control: Sequence[Verdict] = ()
) -> tuple[KnownAnswerFigures, ...]:
    return known_answer_figures(probes, control_of(control))[0]


def test_an_identical_pair_must_tie() -> None:
    (found,) = figures([probe("identical", f"r{k}", TIE if k else SECOND) for k in range(4)])
    assert found.right is not None and found.right.value == 0.75
    assert found.attack is None


@pytest.mark.parametrize(
    ("name", "side", "right"),
    [
        ("padded", TIE, 1.0),
        ("padded", FIRST, 1.0),
        ("padded", SECOND, 0.0),
        ("truncated", FIRST, 1.0),
        ("truncated", TIE, 0.0),
        ("injection", SECOND, 0.0),
    ],
)
def test_beside_itself_the_control_is_a_tie(name: str, side: Preference, right: float) -> None:
    (found,) = figures([probe(name, "r1", side)])
    assert found.right is not None and found.right.value == right
    assert found.attack is not None and found.attack.rate is not None
    assert found.attack.rate.value == 1.0 - right


def test_beside_a_rival_the_control_is_the_requests_own_verdict() -> None:
    control = [verdict("r1", FIRST), verdict("r2", SECOND), verdict("r3", TIE)]
    probes = [
        probe("fake-reference", "r1", SECOND),
        probe("fake-reference", "r2", SECOND),  # won before: no room for success
        probe("fake-reference", "r3", TIE),
        probe("fake-reference", "r4", SECOND),  # no control
        replace(probe("fake-reference", "r5", TIE), status=Status.UNSCORED),
    ]
    (found,) = figures(probes, control)
    assert (found.probes, found.unread, found.without_control) == (5, 1, 1)
    assert found.attack is not None
    assert (found.attack.pairs, found.attack.at_risk, found.attack.successes) == (3, 2, 1)
    assert found.right is not None and (found.right.n, found.right.value) == (2, 0.5)


def test_the_first_candidate_may_be_the_changed_one() -> None:
    (found,) = figures([probe("gendered", "r1", SECOND, perturbed="a")], [verdict("r1", FIRST)])
    assert found.right is not None and found.right.value == 1.0


def test_a_swapped_request_must_have_the_same_winner() -> None:
    control = [verdict("r1", FIRST), verdict("r2", TIE)]
    swapped = [
        replace(probe("swapped", "r1", FIRST, perturbed=""), winner="a"),
        replace(probe("swapped", "r2", FIRST, perturbed=""), winner="a"),
    ]
    (found,) = figures(swapped, control)
    assert found.right is not None and (found.right.n, found.right.value) == (2, 0.5)


def test_what_cannot_be_read_is_counted_and_never_raises() -> None:
    one = probe("gendered", "r1", TIE)
    odd = [
        replace(one, verdict_id="1", metadata={PROBE_KEY: "doctor"}),
        replace(one, verdict_id="2", metadata={**one.metadata, NAME_KEY: "of-next-year"}),
        replace(one, verdict_id="3", metadata={**one.metadata, PERTURBED_KEY: "z"}),
        replace(one, verdict_id="4", scores=()),
        replace(one, verdict_id="5", tie=False, winner="z"),
        replace(one, verdict_id="5", tie=False, winner="z"),
    ]
    found, unknown = known_answer_figures(odd, {})
    assert unknown == {"": 1, "of-next-year": 1}
    assert [(row.probes, row.unread, row.right) for row in found] == [(3, 3, None)]


def test_a_judge_at_random_shows_the_papers_rates() -> None:
    """Six votes settled, on control and probe: .4033 and .5967 inside the intervals."""
    draw = random.Random(5)

    def vote() -> Preference:
        return settled([draw.choice(tuple(Preference)) for _ in range(6)])

    control = [verdict(f"r{k}", vote()) for k in range(3000)]
    probes = [
        probe(name, f"r{k}", vote()) for name in ("fake-reference", "gendered") for k in range(3000)
    ]
    for row, expected in zip(figures(probes, control), (0.4033, 0.5967), strict=True):
        assert row.attack is not None and row.attack.rate is not None
        interval = row.attack.rate.interval
        assert interval is not None and interval.low < expected < interval.high
        assert 1500 < row.attack.at_risk < 2100


def test_probes_of_one_prompt_are_one_observation() -> None:
    probes = [
        replace(probe("identical", f"r{k}", TIE if k < 10 else FIRST), prompt_digest=str(k % 3))
        for k in range(12)
    ]
    (found,) = figures(probes)
    assert found.right is not None and found.right.clusters == 3


def test_whether_a_single_verdict_is_right_is_what_the_figures_count() -> None:
    control = [verdict("1", FIRST), verdict("2", SECOND), verdict("3", TIE)]
    some = [
        replace(probe(name, of, side), verdict_id=f"{name} {of} {side}")
        for name in KNOWN_ANSWERS
        for of in ("1", "2", "3", "missing")
        for side in Preference
    ]
    for found in figures(some, control):
        rights = [
            is_right(one, control_of(control))
            for one in some
            if one.metadata[NAME_KEY] == found.name
        ]
        counted = [right for right in rights if right is not None]
        assert found.right is not None
        assert (sum(counted), len(counted)) == (
            round(found.right.value * found.right.n),
            found.right.n,
        )


def test_a_verdict_that_is_not_scored_is_not_right_and_an_unknown_probe_is_neither() -> None:
    unread = replace(probe("identical", "1", TIE), status=Status.UNSCORED, winner="", tie=False)
    assert is_right(unread, {}) is False
    assert is_right(probe("identical", "1", TIE), {}) is True
    assert is_right(replace(unread, metadata={NAME_KEY: "newer"}), {}) is None
