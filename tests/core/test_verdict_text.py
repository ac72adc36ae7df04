"""Verdicts as text for people."""

from dataclasses import replace

import pytest

from judgestream.core.conversation import Turn
from judgestream.core.rubric import Criterion, CriterionScore, Rubric
from judgestream.core.transforms import Transform
from judgestream.core.types import (
    Candidate,
    CandidateScore,
    Image,
    PassResult,
    Reading,
    Reply,
    Status,
    Verdict,
)
from judgestream.core.verdict_text import details, outcome, text_lines, verdict_line
from tests.core.build import EQUAL, UNREAD, WON, request, result, verdict


def single(score: float) -> Verdict:
    return replace(verdict(), scores=(CandidateScore(candidate_id="a", score=score),))


def test_a_single_answer_shows_its_score() -> None:
    assert outcome(single(7.25)) == "score 7.2"


def test_details_name_passes_both_readable_and_not() -> None:
    passes = (result("straight", EQUAL), result("swapped", UNREAD))
    text = "\n".join(details(replace(WON, passes=passes)))
    assert "winner b (ours)" in text and "0.1000 / 0.2000 / 0.7000" in text
    assert "means 5.20 5.20, greedy 6 5, P 0.20/0.60/0.20" in text
    assert "unreadable: unparsable I cannot say" in text
    assert "agree" in text and "metadata run:" in text


def test_texts_are_shown_or_reported_missing() -> None:
    assert list(text_lines(None))[0] == "(the request has left its topic)"
    shown = list(text_lines(request(reference="Scattering.")))
    assert shown[:2] == ["question: Why is the sky blue?", "answer a: Rayleigh scattering."]
    assert "reference: Scattering." in shown


def test_images_are_named_and_not_shown() -> None:
    plain = request()
    pictured = replace(plain.candidates[0], images=(Image(data=b"GIF89a" + bytes(9)),))
    asked = replace(
        plain,
        images=(Image(url="https://a.example/cat.png?token=hunter2"),),
        candidates=(pictured, plain.candidates[1]),
    )
    shown = list(text_lines(asked))
    assert "question, image 1: https://a.example/cat.png?token=***" in shown
    assert "answer a, image 1: image/gif, 15 bytes" in shown


RANKED = replace(
    verdict(winner="b"),
    scores=(
        CandidateScore(candidate_id="a", score=-0.5, length=9, p_best=0.1, rank=2),
        CandidateScore(
            candidate_id="b",
            score=1.25,
            system="ours",
            length=8,
            p_best=0.8,
            rank=1,
            low=0.5,
            high=2.0,
        ),
        CandidateScore(candidate_id="c", score=-0.5, length=7, p_best=0.1, rank=2),
    ),
)


def test_details_of_a_ranking_show_places_and_intervals() -> None:
    reading = Reading(means=(4.0, 8.0, 4.0), greedy=(4.0, 8.0, 4.0), p_best=(0.05, 0.9, 0.05))
    transform = Transform(order=(2, 0, 1))
    passes = (PassResult(transform=transform, reading=reading, reply=Reply(text="")),)
    text = "\n".join(details(replace(RANKED, passes=passes)))
    assert "ranking:         b > a = c" in text
    assert "answer a:        rank 2, P(best) 0.10, score -0.50, 9 characters" in text
    assert "rank 1, P(best) 0.80, score 1.25 [0.50, 2.00], 8 characters (ours)" in text
    assert "pass order-2-0-1: means 4.00 8.00 4.00, greedy 4 8 4, P(best) 0.05 0.90 0.05" in text


RUBRIC = replace(
    verdict(),
    mode="rubric",
    passed=False,
    scores=(
        CandidateScore(
            candidate_id="a",
            score=0.625,
            length=20,
            low=0.5,
            high=0.75,
            passed=False,
            criteria=(
                CriterionScore(criterion_id="facts", score=4.0, low=3.5, high=4.5, passed=True),
                CriterionScore(criterion_id="tone", score=None),
                CriterionScore(criterion_id="style", score=10.0, passed=False),
            ),
        ),
    ),
)
ANSWER = replace(verdict(), mode="follow_up", scores=(), explanation="It forgets\nthe sunset.")


def test_details_of_a_rubric_have_a_line_for_each_criterion() -> None:
    shown = list(details(RUBRIC))
    assert "outcome:         total 0.62, not passed" in shown
    assert "answer a:        score 0.62 [0.50, 0.75], 20 characters" in shown
    assert "- facts:         score 4.00 [3.50, 4.50], passed" in shown
    assert "- tone:          no score" in shown
    assert "- style:         score 10.00, not passed" in shown


def test_the_texts_of_conversations_rubrics_and_discussions_are_shown() -> None:
    turns = (Turn(role="user", text="Hi"), Turn(role="assistant", text="[Turn 2: x]"))
    conversation = replace(
        request(question=""), candidates=(Candidate(id="a", turns=turns),), discussion=turns[:1]
    )
    assert "\n".join(text_lines(conversation)) == (
        "conversation a:\n[Turn 1: User]\nHi\n\n[Turn 1: Assistant]\n[Turn 2: x]\nuser: Hi\n"
    )
    criterion = Criterion(id="tone", description="It is polite.", high=5)
    shown = list(text_lines(replace(request(), rubric=Rubric(criteria=(criterion,)))))
    assert "criterion tone (1 to 5): It is polite." in shown


LINES = [
    (RUBRIC, "2026-01-02T12:00:00Z  r1  total 0.62, not passed"),
    (ANSWER, "2026-01-02T12:00:00Z  r1  answer: It forgets the sunset."),
    (RANKED, "2026-01-02T12:00:00Z  r1  winner b (ours)  ranking b > a = c"),
    (WON, "2026-01-02T12:00:00Z  r1  winner b (ours)  P 0.10/0.20/0.70"),
    (
        replace(WON, flipped=True, release="judge-1", scores=verdict().scores),
        "2026-01-02T12:00:00Z  r1  winner b  P 0.10/0.20/0.70  scores 5.0 5.0  FLIPPED  judge-1",
    ),
    (verdict(tie=True), "2026-01-02T12:00:00Z  r1  TIE  scores 5.0 5.0"),
    (
        replace(verdict(status=Status.UNSCORED), reason="unparsable: swapped"),
        "2026-01-02T12:00:00Z  r1  UNSCORED: unparsable: swapped",
    ),
    (
        replace(verdict(status=Status.FAILED), error_class="too_old", error_message="why"),
        "2026-01-02T12:00:00Z  r1  FAILED: too_old: why",
    ),
    (verdict(), "2026-01-02T12:00:00Z  r1  scored  scores 5.0 5.0"),
]


@pytest.mark.parametrize(("shown", "line"), LINES)
def test_a_verdict_in_one_line(shown: Verdict, line: str) -> None:
    assert verdict_line(shown) == line


def test_details_leave_out_what_the_verdict_does_not_have() -> None:
    choice = result("straight", Reading(means=(), greedy=(), win=0.7, tie=0.2, lose=0.1))
    one_score = result("straight+reference", Reading(means=(7.0,), greedy=()))
    shown = list(details(replace(verdict(), passes=(choice, one_score), answers_cut_to=300)))
    assert "pass straight:   P 0.70/0.20/0.10" in shown
    assert "pass straight+reference: means 7.00" in shown
    assert "answers cut to:  300 characters, to fit the judge's context" in shown
    assert not any(line.startswith(("P win", "confidence", "both orders")) for line in shown)
