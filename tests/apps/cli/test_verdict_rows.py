"""Verdicts as flat rows."""

import csv
import io
import json
from dataclasses import fields as dataclass_fields
from dataclasses import replace
from pathlib import Path

import pytest

from judgestream.adapters.files.trl_rows import preference, trl_row
from judgestream.adapters.files.verdict_rows import (
    COLUMNS,
    TEXT_COLUMNS,
    text_row,
    verdict_row,
    write_csv,
    write_parquet,
)
from judgestream.core.conversation import Turn
from judgestream.core.errors import ConfigurationError
from judgestream.core.rubric import CriterionScore
from judgestream.core.types import Candidate, CandidateScore, MemberReading, Status, Verdict
from judgestream.terminal.output import printable
from tests.core.build import NOON, WON, request, verdict


def test_a_verdict_is_one_row_with_a_value_or_none_in_every_column() -> None:
    row = verdict_row(WON)
    assert set(row) == {column.name for column in COLUMNS}
    assert (row["winner"], row["winner_system"], row["status"]) == ("b", "ours", "scored")
    assert (row["score_1"], row["score_2"], row["length_2"]) == (5.5, None, 20)
    assert json.loads(row["metadata"]) == {"run": "7", "id": "ä"}
    failed = verdict_row(replace(verdict(status=Status.FAILED), scores=()))
    assert failed["score_1"] is None and failed["winner_system"] == "" and failed["p_win"] is None


def test_every_field_of_a_verdict_has_its_column() -> None:
    names = {column.name for column in COLUMNS}
    own_columns = {"scores": "score_1"}
    json_only = {"passes"}
    fields = {own_columns.get(one.name, one.name) for one in dataclass_fields(Verdict)}
    assert fields - names == json_only


def test_a_jurys_verdict_keeps_its_members_in_one_column() -> None:
    member = MemberReading(release="a", status=Status.SCORED, weight=0.7, p_win=0.9, cost=0.01)
    row = verdict_row(replace(verdict(), members=(member,), method="reward", cost=0.01))
    (found,) = json.loads(row["members"])
    assert (found["release"], found["status"], found["weight"]) == ("a", "scored", 0.7)
    assert (row["method"], row["cost"]) == ("reward", 0.01)
    assert verdict_row(WON)["members"] is None


def test_a_ranked_verdict_keeps_all_its_candidates_in_one_column() -> None:
    scores = tuple(
        CandidateScore(candidate_id=name, score=score, rank=rank, p_best=p_best)
        for name, score, rank, p_best in [
            ("a", 3.0, 2, 0.2),
            ("b", 9.0, 1, 0.8),
            ("c", None, 0, 0.0),
        ]
    )
    ranking = json.loads(verdict_row(replace(verdict(winner="b"), scores=scores))["ranking"])
    assert [(one["candidate_id"], one["rank"]) for one in ranking] == [("b", 1), ("a", 2), ("c", 0)]
    assert (ranking[0]["score"], ranking[0]["p_best"], ranking[0]["low"]) == (9.0, 0.8, None)
    assert verdict_row(WON)["ranking"] is None


def test_a_rubrics_verdict_keeps_its_criteria_in_one_column() -> None:
    criteria = (CriterionScore(criterion_id="tone", score=4.0, low=3.0, high=5.0, passed=True),)
    score = CandidateScore(candidate_id="a", score=0.75, criteria=criteria, passed=True)
    row = verdict_row(replace(verdict(), scores=(score,), passed=True))
    assert (row["passed"], row["score_1"]) == (True, 0.75)
    assert json.loads(row["criteria"]) == [
        {"criterion_id": "tone", "score": 4.0, "low": 3.0, "high": 5.0, "passed": True}
    ]
    assert (verdict_row(WON)["criteria"], verdict_row(WON)["passed"]) == (None, None)


def test_a_conversation_is_exported_as_its_transcript() -> None:
    turns = (Turn(role="user", text="Hi"), Turn(role="assistant", text="Hello!"))
    row = text_row(replace(request(), candidates=(Candidate(id="a", turns=turns),)))
    assert row["answer_1"] == "[Turn 1: User]\nHi\n\n[Turn 1: Assistant]\nHello!"


def test_csv_reads_back_with_quotes_line_ends_and_exact_numbers() -> None:
    file = io.StringIO(newline="")
    rows = [verdict_row(WON) | text_row(request()), verdict_row(verdict()) | text_row(None)]
    assert write_csv(file, (*COLUMNS, *TEXT_COLUMNS), rows) == 2
    first, second = csv.DictReader(io.StringIO(file.getvalue(), newline=""))
    assert first["explanation"] == WON.explanation
    assert float(first["p_lose"]) == 0.7 and first["score_2"] == ""
    assert (first["tie"], first["flipped"], second["flipped"]) == ("false", "false", "")
    assert first["judged_at"] == "2026-01-02T12:00:00+00:00"
    assert first["question"] == "Why is the sky blue?" and first["answer_2"].startswith("It refl")
    assert second["question"] == ""


def test_parquet_keeps_types_and_appears_complete_or_not_at_all(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    path = tmp_path / "verdicts.parquet"
    assert write_parquet(path, COLUMNS, [verdict_row(WON), verdict_row(verdict())]) == 2
    first, second = parquet.read_table(path).to_pylist()
    assert (first["judged_at"], first["p_lose"], first["tie"]) == (NOON, 0.7, False)
    assert (second["flipped"], second["length_2"]) == (None, 20)
    assert [entry.name for entry in tmp_path.iterdir()] == ["verdicts.parquet"]
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_parquet(tmp_path / "none" / "x.parquet", COLUMNS, [])


def test_foreign_text_cannot_move_the_cursor() -> None:
    assert printable("a\x1b[2Jb\x9b31m\r\tc\n") == "a\\x1b[2Jb\\x9b31m\\x0d\tc\n"


def test_a_preferred_conversation_is_a_trl_row_of_messages() -> None:
    talks = tuple(
        Candidate(id=name, turns=(Turn(role="user", text="Hi"), Turn(role="assistant", text=name)))
        for name in "ab"
    )
    won = preference(WON)
    assert won is not None
    row = trl_row(replace(request(), candidates=talks), won)
    assert row is not None and "prompt" not in row
    assert row["chosen"] == [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "b"},
    ]
