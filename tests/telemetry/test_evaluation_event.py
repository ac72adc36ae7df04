"""Each outcome of a verdict as an evaluation event."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from judgestream.core.types import CandidateScore, Status, Verdict
from judgestream.telemetry.evaluation_event import attributes

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
PAIR = Verdict(
    verdict_id="v1",
    request_id="r1",
    mode="pairwise",
    status=Status.SCORED,
    requested_at=NOON,
    judged_at=NOON,
    release="judge-1",
    winner="a",
    p_win=0.75,
    confidence=0.75,
    flipped=False,
    scores=(CandidateScore(candidate_id="a", score=8), CandidateScore(candidate_id="b", score=2)),
    explanation="because",
)
ONE = replace(PAIR, mode="single", winner="", p_win=None, scores=PAIR.scores[:1])
UNSCORED = replace(PAIR, status=Status.UNSCORED, winner="", scores=(), p_win=None)
KEYS = ("score.value", "score.label")


@pytest.mark.parametrize(
    ("verdict", "value", "label", "error"),
    [
        (PAIR, 0.75, "candidate 1", None),
        (replace(PAIR, winner="b", p_win=0.0), 0.0, "candidate 2", None),
        (replace(PAIR, winner="", tie=True, p_win=0.5), 0.5, "tie", None),
        (ONE, 8, None, None),
        (replace(ONE, passed=True), 8, "pass", None),
        (replace(ONE, passed=False), 8, "fail", None),
        (replace(UNSCORED, reason="no_scores"), None, "unscored", "no_scores"),
        (replace(UNSCORED, status=Status.FAILED, error_class="too_old"), None, "failed", "too_old"),
    ],
)
def test_score_label_and_error(
    verdict: Verdict, value: float | None, label: str | None, error: str | None
) -> None:
    found: dict[str, Any] = attributes(verdict, explanations=False)
    assert [found.get(f"gen_ai.evaluation.{key}") for key in KEYS] == [value, label]
    assert found.get("error.type") == error
    assert found["gen_ai.evaluation.name"] == verdict.mode
    assert "gen_ai.evaluation.explanation" not in found


def test_the_judged_completion_is_named_by_the_requests_metadata() -> None:
    verdict = replace(PAIR, metadata={"gen_ai.response.id": "chatcmpl-1", "team": "x"})
    found = attributes(verdict, explanations=True)
    assert found["gen_ai.response.id"] == "chatcmpl-1"
    assert found["gen_ai.evaluation.explanation"] == "because"
    assert found["judgestream.flipped"] is False and found["judgestream.verdict_id"] == "v1"
    assert "team" not in found
