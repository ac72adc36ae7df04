"""Published figures of public sets, through the importer: the labels mean what their publishers say."""

import json
from collections import Counter
from pathlib import Path

import pytest

from judgestream.adapters.files import read_records
from judgestream.adapters.files.importing import Reading, import_files
from judgestream.core.formats import FORMATS
from judgestream.core.formats.base import Draft
from judgestream.core.formats.fields import Fields
from judgestream.core.formats.sets import trivia_votes
from judgestream.core.preference import Preference
from judgestream.evaluation.majority import majority


def drafts(folder: Path, *names: str) -> list[Draft]:
    paths = [path for name in names for path in sorted(folder.glob(name))]
    found = [row.found for row in import_files(paths, Reading(formats=FORMATS))]
    return [one for one in found if isinstance(one, Draft)]


def votes(draft: Draft) -> dict[str, str]:
    return {vote.annotator: vote.winner for vote in draft.votes}


def test_pandalms_majorities_and_what_its_judges_agree_with(shared_data: Path) -> None:
    rows = [votes(one) for one in drafts(shared_data, "pandalm/*.json")]
    people = [majority([row[f"human-{k}"] for k in (1, 2, 3)]) for row in rows]
    assert Counter(people) == {"1": 422, "2": 472, "": 105}
    for judge, percent in (("gpt-3.5-turbo", 71.07), ("pandalm-7b", 66.77)):
        # the published figure counts an unreadable result as a tie
        right = sum(row.get(judge, "") == winner for row, winner in zip(rows, people, strict=True))
        assert 100 * right / len(rows) == pytest.approx(percent, abs=0.005)


def test_autoj_is_right_in_both_orders_as_published(shared_data: Path) -> None:
    rows = [votes(one) for one in drafts(shared_data, "autoj/test/*", "autoj/outputs/*")]
    consistent = [row for row in rows if row["auto-j"] == row["auto-j-exchanged"]]
    right = [row for row in consistent if row["auto-j"] == row["human"]]
    assert 100 * len(consistent) / len(rows) == pytest.approx(83.41, abs=0.005)
    assert 100 * len(right) / len(rows) == pytest.approx(54.96, abs=0.005)


def test_mt_bench_is_conservative(shared_data: Path) -> None:
    rows = drafts(shared_data, "mt_bench/model_judgment/gpt-4_pair*")
    found = Counter(winner for row in rows for winner in votes(row).values())
    assert found == {"1": 18, "2": 20, "": 35}
    orders = Counter((row.metadata["g1_winner"], row.metadata["g2_winner"]) for row in rows)
    assert orders["model_1", "model_2"] == 16 and orders["tie", "tie"] == 8


def test_the_vicuna_review_agrees_with_faireval_as_published(shared_data: Path) -> None:
    people = drafts(shared_data, "faireval/question.jsonl", "faireval/*/*")
    review = "vicuna_bench/review/vicuna-13b_20230322-clean-lang/review_gpt35_vicuna-13b.jsonl"
    teacher = drafts(shared_data, "vicuna_bench/question.jsonl", "vicuna_bench/answer/*", review)
    said = {one.metadata["question_id"]: one for one in teacher}
    pairs = [(one, said[one.metadata["question_id"]]) for one in people]
    assert all(a.candidates[0].text == b.candidates[0].text for a, b in pairs)
    right = sum(set(votes(a).values()) == set(votes(b).values()) for a, b in pairs)
    assert (right, len(pairs)) == (42, 80)  # 52.5 %
    assert Counter(w for one in teacher for w in votes(one).values()) == {"1": 44, "2": 14, "": 22}


@pytest.mark.parametrize(
    ("judge", "percent"), [("Llama3-70B", 92.66), ("GPT-4", 91.15), ("EM", 70.88)]
)
def test_triviaqas_judges_agree_with_people_as_published(
    shared_data: Path, judge: str, percent: float
) -> None:
    path = shared_data / "triviaqa_judges" / "judgments_v1.csv"
    rows = [trivia_votes(Fields(values, place)) for place, values in read_records(path)]
    both = [(row["human"], row[judge]) for row in rows if "human" in row and judge in row]
    right = sum(a == b for a, b in both)
    assert 100 * right / len(both) == pytest.approx(percent, abs=0.005)


def test_gsm8ks_pairs_with_one_right_answer(shared_data: Path) -> None:
    rows = drafts(shared_data, "gsm8k_pairs/*.jsonl")
    systems = Counter(
        tuple(candidate.system for candidate in row.candidates) for row in rows if row.votes
    )
    assert systems["6b_finetuning", "6b_verification"] == 357
    assert systems.total() == 2429


def test_hps_ranks_mj_benchs_pairs_as_published(shared_data: Path) -> None:
    lines = (shared_data / "mjbench" / "pair_scores.jsonl").read_text().splitlines()
    right: dict[str, list[bool]] = {}
    for row in map(json.loads, lines):
        chosen = Preference.between(*row["scores"]["hps_v2.1"])
        right.setdefault(row["subset"], []).append(chosen.winner(("0", "1")) == row["label"])
    found = {name: round(100 * sum(hits) / len(hits), 1) for name, hits in right.items()}
    expected = {"human": 98.0, "object_indoor": 98.0, "blur": 98.9, "mpii": 75.0, "toxic": 87.8}
    assert found == expected
