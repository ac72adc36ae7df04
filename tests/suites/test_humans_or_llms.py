"""Humans or LLMs: the published files as items, and attacks worked by hand."""

from dataclasses import replace
from itertools import product
from math import comb
from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.errors import InvalidRequest
from judgestream.core.preference import Preference
from judgestream.core.types import Reading, Verdict
from judgestream.evaluation.attack import settled
from judgestream.evaluation.unreadable import outcome
from judgestream.suites.base import Item
from judgestream.suites.humans_or_llms import KINDS, SUITE
from tests.suites.folders import published, written
from tests.suites.verdicts import judged


def test_the_published_files_make_a_control_and_four_copies_of_every_question() -> None:
    items = list(SUITE.items(published("humans-or-llms", "judgement_bias").tables))
    kinds = [item.facts["kind"] for item in items]
    assert {kind: kinds.count(kind) for kind in ("raw", *KINDS)} == dict.fromkeys(
        ("raw", *KINDS), 142
    )
    slots = {
        kind: [item.facts["slot"] for item in items if item.facts["kind"] == kind].count("1")
        for kind in KINDS
    }
    assert slots == {"factual_error": 70, "gender": 142, "reference": 65, "rich_content": 69}
    assert len({item.unit for item in items}) == 142


def test_two_orders_of_a_judge_that_answers_alike_are_the_papers_six_votes() -> None:
    for straight, swapped in product(Preference, repeat=2):
        votes = [straight] * 3 + [swapped] * 3
        found = outcome(SUITE.rule, straight, swapped, SUITE.unreadable)
        assert found == settled(votes), (straight, swapped)


def row(question: str, *, perturbed: int = 0) -> dict[str, object]:
    answers = {
        f"answer{k}": {
            "answer": f"{question} {k}{' attacked' if k == perturbed else ''}",
            "perturb": "x" if k == perturbed else "",
        }
        for k in (1, 2)
    }
    return {"question_id": question, "question": question, "level": "L", "answers": answers}


def items(folder: Path) -> list[Item]:
    files = {
        "raw.jsonl": [row(q) for q in "pqr"],
        "reference.jsonl": [row(q, perturbed=2) for q in "pqr"],
        "gender.jsonl": [row(q, perturbed=1) for q in "pqr"],
    }
    return list(SUITE.items(load_files(SUITE, written(folder, files)).tables))


def test_attack_success_is_of_the_pairs_at_risk(tmp_path: Path) -> None:
    # the control prefers answer 1 of p, ties on q, prefers answer 2 of r (both orders alike)
    control = {"p": "AB", "q": "CC", "r": "BA"}
    # an attacked second answer (reference) wins p and loses q
    reference = {"p": "BA", "q": "AB", "r": "BA"}
    # an attacked first answer (gender): of p it lost before by nothing; see below
    gender = {"p": "BA", "q": "CC", "r": "BA"}
    said = {"raw": control, "reference": reference, "gender": gender}
    found = judged(
        items(tmp_path),
        lambda item, k: said[item.facts["kind"]][item.request.question][k],
    )
    report = SUITE.report(found, SUITE.choices)
    rows = {row[0]: row[1:4] for row in report.table("attack success").rows}
    # reference (agnostic): p and q are at risk, p is turned
    assert rows["reference"] == (3, 2, 1)
    # gender (related, slot 1): the attacked answer won p and tied q before; it holds only q's tie
    assert rows["gender"] == (3, 2, 1)
    assert rows["factual_error"] == (0, 0, 0)
    assert report.figure("attack_success_reference").value == 0.5
    # certain replies vote alike each time, so six votes settle as the two orders do
    assert report.figure("sampled_attack_success_reference").value == pytest.approx(0.5)
    assert report.figure("sampled_attack_success_gender").value == pytest.approx(0.5)
    assert report.figure("sampled_attack_success_factual_error").value is None
    assert report.figure("flip_consistency").value == 1.0
    key = {one.item.key: one.item for one in found}
    values = SUITE.values(found, SUITE.choices)
    by_kind = sorted((key[name].facts["kind"], value) for name, value in values.items())
    assert by_kind == [("gender", 0.0), ("gender", 1.0), ("reference", 0.0), ("reference", 1.0)]


def test_six_sampled_votes_follow_the_probabilities_of_both_orders(tmp_path: Path) -> None:
    """One question. Straight the judge says A with .7 and B with .3, swapped the same by position.

    Of the answer shown first the votes are .7 each time: of answer 1 three votes at .7 and three at .3. With
    x, y ~ B(3, .7) the first answer leads where x > y, in the mirror as often: a tie where x = y.
    """
    made = [item for item in items(tmp_path) if item.request.question == "p"]
    found = [
        replace(one, verdict=_spread(one.verdict, 0.7)) for one in judged(made, lambda *_: "A")
    ]
    report = SUITE.report(found, SUITE.choices)
    tie = sum((comb(3, k) * 0.7**k * 0.3 ** (3 - k)) ** 2 for k in range(4))
    lead = (1 - tie) / 2
    # each attack is judged as its control, so of those at risk the share that it turns is P(turned)
    assert report.figure("sampled_attack_success_reference").value == pytest.approx(lead)
    assert report.figure("sampled_attack_success_gender").value == pytest.approx(lead + tie)
    row = next(row for row in report.table("attack success").rows if row[0] == "reference")
    assert row[5] == report.figure("sampled_attack_success_reference")


def _spread(verdict: Verdict | None, first: float) -> Verdict:
    """The verdict with this probability for the answer that is shown first, in each order."""
    assert verdict is not None
    passes = []
    for one in verdict.passes:
        assert isinstance(one.reading, Reading)
        win = first if one.transform.straight else 1 - first
        passes.append(replace(one, reading=replace(one.reading, win=win, tie=0.0, lose=1 - win)))
    return replace(verdict, passes=tuple(passes))


def test_votes_are_counted_by_the_position_shown(tmp_path: Path) -> None:
    found = judged(items(tmp_path), lambda item, k: "A")
    votes = SUITE.report(found, SUITE.choices).table("votes by position")
    cells = dict(zip(votes.head, votes.rows[0], strict=True))
    assert (cells["votes"], cells["difference"], cells["lopsided"]) == (18, 1.0, "yes")


def test_a_copy_of_an_unknown_question_is_refused(tmp_path: Path) -> None:
    folder = written(
        tmp_path, {"raw.jsonl": [row("p")], "gender.jsonl": [row("other", perturbed=1)]}
    )
    with pytest.raises(InvalidRequest, match="gender.jsonl, line 1"):
        list(SUITE.items(load_files(SUITE, folder).tables))
