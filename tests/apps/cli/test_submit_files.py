"""`judgestream submit` on real-world files: mapped, joined, partly malformed, with labels."""

import json
import os
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from judgestream.adapters.files.requests import Selection, Skipped
from judgestream.apps.cli import main
from judgestream.core.conversation import Focus
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.base import Converted
from judgestream.core.formats.mapping import mapped, parsed
from judgestream.core.types import Label
from judgestream.terminal.exit_codes import ExitCode
from tests.core.format_rows import ROWS

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
OWN: dict[str, object] = {
    "requestId": "r1",
    "question": "2 + 2?",
    "candidates": [{"text": "4"}, {"text": "5"}],
}


def write(path: Path, *rows: Mapping[str, object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def dry_run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["submit", "--dry-run", *map(str, arguments)])


def sent(done: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def read(*paths: Path, **options: object) -> list[Converted | Label | Skipped]:
    return list(Selection(paths=paths, at=NOON, **options).read())  # type: ignore[arg-type]


def texts(rows: list[Converted | Label | Skipped]) -> list[tuple[str, ...]]:
    requests = [one.request for one in rows if isinstance(one, Converted)]
    return [(r.question, *(candidate.text for candidate in r.candidates)) for r in requests]


class TestMap:
    ROW = {
        "ask": [{"role": "user", "content": "2 + 2?"}],
        "out": {"x": "4", "y": ["5"]},
        "best": 2.0,
    }
    ENTRIES = (
        "question=ask",
        "answer_a=out.x",
        "answer_b=out.y.0",
        "winner=best",
        "metadata.k=best",
    )

    def test_columns_and_paths_into_them_become_fields(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.jsonl", self.ROW)
        (one,) = read(path, mapping=parsed(self.ENTRIES))
        assert isinstance(one, Converted)
        assert texts([one]) == [("2 + 2?", "4", "5")]
        assert [label.winner for label in one.labels] == ["2"]
        assert one.request.metadata == {"k": "2.0"}

    def test_entries_may_follow_one_map(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.jsonl", self.ROW)
        done = dry_run(path, "--map", *self.ENTRIES)
        assert done.exit_code == 0, done.stderr
        assert sent(done)[0]["question"] == "2 + 2?"

    @pytest.mark.parametrize(
        ("entry", "message"),
        [
            ("question", "write FIELD=COLUMN"),
            ("=x", "write FIELD=COLUMN"),
            ("questoin=x", "unknown field 'questoin': use one of id, question, answer_a"),
        ],
    )
    def test_a_wrong_entry_is_named(self, entry: str, message: str) -> None:
        with pytest.raises(ConfigurationError, match=message):
            parsed([entry])
        with pytest.raises(ConfigurationError, match="mapped twice"):
            parsed(["question=x", "question=y"])

    def test_a_column_that_is_missing_is_named(self, tmp_path: Path) -> None:
        path = write(tmp_path / "rows.jsonl", self.ROW, {"ask": "q", "out": None})
        done = dry_run(path, "--map", *self.ENTRIES[:3])
        assert done.exit_code == ExitCode.USAGE
        assert "rows.jsonl, line 2: field answer_a: is missing" in done.stderr

    @given(
        st.dictionaries(
            st.text(max_size=4), st.none() | st.text() | st.lists(st.integers()), max_size=4
        ),
        st.lists(st.text(max_size=6).filter(str.strip), max_size=3),
    )
    def test_any_record_and_any_columns_give_a_record(
        self, values: dict[str, object], columns: list[str]
    ) -> None:
        mapping = dict(zip(("question", "answer_a", "metadata.x"), columns, strict=False))
        found = mapped(values, mapping)
        assert set(found) <= {"question", "answer_a", "metadata"}
        for target, column in mapping.items():
            if column in values and target != "metadata.x":
                assert found[target] == values[column]


class TestBadRows:
    ROWS = (
        {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"},
        {"prompt": "3 + 3?", "chosen": "6", "rejected": None},
        {"chosen": "4", "rejected": "5"},
        {"prompt": "4 + 4?", "chosen": 8, "rejected": "9"},
        {"prompt": "5 + 5?", "chosen": "10", "rejected": "11"},
    )

    def test_all_are_named_in_one_run(self, tmp_path: Path) -> None:
        done = dry_run(write(tmp_path / "rows.jsonl", *self.ROWS))
        assert done.exit_code == ExitCode.USAGE
        assert "line 2: field rejected: is missing" in done.stderr
        assert "line 4: field chosen: must be text, not a number" in done.stderr
        assert "--skip-bad FILE" in done.stderr

    def test_skipped_rows_are_written_with_place_and_reason(self, tmp_path: Path) -> None:
        path, bad = write(tmp_path / "rows.jsonl", *self.ROWS), tmp_path / "bad.jsonl"
        done = dry_run(path, "--skip-bad", bad)
        assert (done.exit_code, len(sent(done))) == (ExitCode.NO, 2)
        assert [
            (r["place"], r["reason"]) for r in map(json.loads, bad.read_text().splitlines())
        ] == [
            (f"{path}, line 2", "invalid"),
            (f"{path}, line 3", "no_prompt"),
            (f"{path}, line 4", "invalid"),
        ]

    def test_the_counts_are_one_json_object(self, tmp_path: Path) -> None:
        path, bad = write(tmp_path / "rows.jsonl", *self.ROWS), tmp_path / "bad.jsonl"
        done = dry_run(path, "--skip-bad", bad, "--format", "json")
        found = json.loads(done.stdout)
        assert found["first_request"]["question"] == "2 + 2?"
        del found["first_request"]
        assert found == {
            "requests": 2,
            "labels": 2,
            "unlabelled": {},
            "skipped": {"invalid": 2, "no_prompt": 1},
        }

    def test_the_first_row_may_be_a_bad_one(self, tmp_path: Path) -> None:
        for first in ({"prompt": "1 + 1?", "chosen": "2"}, {"version": 3}):
            path = write(tmp_path / "rows.jsonl", first, self.ROWS[0])
            found = read(path)
            assert texts(found)[0][0] == "2 + 2?"
            assert [one.reason for one in found if isinstance(one, Skipped)] == ["invalid"]

    def test_a_file_of_an_unknown_format_gets_advice_on_map(self, tmp_path: Path) -> None:
        done = dry_run(write(tmp_path / "rows.jsonl", {"a": "x", "b": "y"}))
        assert done.exit_code == ExitCode.USAGE
        assert "unknown format (fields: a, b)" in done.stderr
        assert "--map question=COLUMN answer_a=COLUMN answer_b=COLUMN" in done.stderr


def test_ids_that_start_again_in_every_file_stay_apart(tmp_path: Path) -> None:
    rows = [
        {
            "custom_id": "request-1",
            "messages": [{"role": "user", "content": day}],
            "choices": ["a", "b"],
        }
        for day in ("Monday?", "Tuesday?")
    ]
    found = read(write(tmp_path / "a", rows[0]), write(tmp_path / "b", rows[1]))
    ids = [one.request.request_id for one in found if isinstance(one, Converted)]
    assert len(set(ids)) == 2 and all(one.startswith("openai-request-1-") for one in ids)
    again = read(tmp_path / "b", tmp_path / "a")
    assert [one.request.request_id for one in again if isinstance(one, Converted)] == ids[::-1]


class TestOwnSchema:
    def test_metadata_becomes_text_by_a_stated_rule(self, tmp_path: Path) -> None:
        metadata = {"team": None, "n": 3, "x": 1.5, "ok": True, "tags": ["a", None], "text": "1"}
        (one,) = read(write(tmp_path / "rows", OWN | {"metadata": metadata}))
        assert isinstance(one, Converted)
        assert one.request.metadata == {
            "n": "3", "x": "1.5", "ok": "true", "tags": '["a",null]', "text": "1",
        }  # fmt: skip

    def test_labels_come_in_the_request_or_in_a_separate_file(self, tmp_path: Path) -> None:
        given: list[dict[str, object]] = [
            {"winner": "2"},
            {"tie": True},
            {},
            {"winner": "c"},
            {"winner": "1", "tie": True},
        ]
        labels = [{"annotator": f"h{k}"} | one for k, one in enumerate(given, start=1)]
        (one,) = read(write(tmp_path / "rows", OWN | {"labels": labels}))
        assert isinstance(one, Converted)
        assert [(label.annotator, label.winner) for label in one.labels] == [
            ("h1", "2"),
            ("h2", ""),
        ]
        assert len(one.unlabelled) == 3
        row: dict[str, object] = {"labelId": "l1", "requestId": "r1", "annotator": "h", "winner": "1",
               "labelledAt": "2026-01-01T00:00:00Z"}  # fmt: skip
        both = [row, row | {"labelId": "l2", "winner": ""}, row | {"labelId": "l3", "tie": True}]
        found = read(write(tmp_path / "labels", *both), prefix="x-")
        assert [type(one) for one in found] == [Label, Skipped, Skipped]
        assert isinstance(found[0], Label) and found[0].request_id == "x-r1"
        reasons = [one.reason for one in found if isinstance(one, Skipped)]
        assert reasons == ["no_choice", "contradiction"]

    def test_ids_may_be_numbers(self, tmp_path: Path) -> None:
        row = {
            "requestId": 7.0,
            "question": "q",
            "candidates": [{"id": 1, "text": "a"}, {"id": 2, "text": "b"}],
        }
        (one,) = read(write(tmp_path / "rows", row))
        assert isinstance(one, Converted) and one.request.request_id == "7"


def test_a_pipe_is_read_once_and_whole(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    rows = [{"prompt": f"{k} + {k}?", "chosen": "x", "rejected": "y"} for k in range(2000)]
    writer = threading.Thread(target=write, args=(pipe, *rows), daemon=True)
    writer.start()
    assert len(read(pipe)) == 2000
    writer.join(timeout=10)


class TestJoins:
    def files(self, folder: Path, *names: str) -> list[Path]:
        return [write(folder / f"{k}.jsonl", ROWS[name]) for k, name in enumerate(names)]

    def test_two_logs_with_one_answer_each_become_pairs(self, tmp_path: Path) -> None:
        ask = {"role": "user", "content": "Hello?"}
        logs = [
            {"model": model, "messages": [ask, {"role": "assistant", "content": text}]}
            for model, text in (("m1", "Hi."), ("m2", "Yes?"))
        ]
        other = {
            "messages": [
                {"role": "user", "content": "Alone?"},
                {"role": "assistant", "content": "x"},
            ]
        }
        paths = [write(tmp_path / "a", logs[0], other), write(tmp_path / "b", logs[1])]
        found = read(*paths, join="question")
        assert texts(found) == [("Hello?", "Hi.", "Yes?")]
        assert [one.reason for one in found if isinstance(one, Skipped)] == ["no_partner"]
        alone = [one.reason for one in read(*paths) if isinstance(one, Skipped)]
        assert alone == ["no_reference"] * 3

    def test_a_join_by_a_field_needs_the_same_question(self, tmp_path: Path) -> None:
        rows = [{"id": 1, "question": q, "answer": a} for q, a in (("Q?", "a"), ("P?", "b"))]
        found = read(*(write(tmp_path / str(k), row) for k, row in enumerate(rows)), join="id")
        assert [one.reason for one in found if isinstance(one, Skipped)] == ["questions_differ"]

    def test_unpaired_preferences_become_labelled_pairs(self, tmp_path: Path) -> None:
        rows = [
            {"prompt": "Q?", "completion": c, "label": label}
            for c, label in (("a", False), ("b", True))
        ]
        (one,) = read(write(tmp_path / "rows", *rows), join="question")
        assert isinstance(one, Converted) and [label.winner for label in one.labels] == ["2"]

    def test_one_source_with_two_answers_among_several_is_ambiguous(self, tmp_path: Path) -> None:
        rows = [{"question": "Q?", "answer": text} for text in "abc"]
        paths = [write(tmp_path / "a", rows[0], rows[1]), write(tmp_path / "b", rows[2])]
        reasons = [one.reason for one in read(*paths, join="question") if isinstance(one, Skipped)]
        assert reasons == ["ambiguous_id", "ambiguous_id", "no_partner"]

    def test_batch_input_and_the_outputs_of_two_models(self, tmp_path: Path) -> None:
        output = ROWS["openai-batch-output"]
        reply = {"model": "m2", "choices": [{"message": {"role": "assistant", "content": "Yes?"}}]}
        second = output | {"response": {"status_code": 200, "body": reply}}
        failed = output | {"custom_id": "r-2", "response": None, "error": {"code": "x"}}
        asked = ROWS["openai-batch-input"]
        paths = [
            write(tmp_path / "in", asked, asked | {"custom_id": "r-2"}),
            write(tmp_path / "out1", output, failed),
            write(tmp_path / "out2", second),
        ]
        found = read(*paths)
        assert texts(found) == [("Hello?", "Good day.", "Yes?")]
        assert [one.reason for one in found if isinstance(one, Skipped)] == ["no_answer"]
        other = asked | {"body": {"messages": [{"role": "user", "content": "Other?"}]}}
        found = read(*paths, write(tmp_path / "tuesday", other))
        assert {one.reason for one in found if isinstance(one, Skipped)} == {
            "ambiguous_id",
            "no_answer",
        }

    def test_files_of_a_join_may_come_in_any_order(self, tmp_path: Path) -> None:
        answers = [
            ROWS["fastchat-answers"] | {"answer_id": k, "text": f"{k}.", "model_id": f"m{k}"}
            for k in "xy"
        ]
        paths = [
            write(tmp_path / "reviews", ROWS["fastchat-reviews"]),
            write(tmp_path / "answers", *answers),
            write(tmp_path / "questions", ROWS["fastchat-questions"]),
        ]
        for order in (paths, paths[::-1]):
            (one,) = read(*order)
            assert isinstance(one, Converted) and texts([one]) == [("Why?", "x.", "y.")]
            assert [label.winner for label in one.labels] == ["1"]
        assert texts(read(*paths[1:])) == [("Why?", "x.", "y.")]

    def test_two_turns_are_rendered_as_two_turns(self, tmp_path: Path) -> None:
        question = {"question_id": 81, "category": "c", "turns": ["A?", "B?"]}
        answers = [
            {
                "question_id": 81,
                "answer_id": f"{k}",
                "model_id": f"m{k}",
                "choices": [{"index": 0, "turns": [f"a{k}", f"b{k}"]}],
            }
            for k in (1, 2)
        ]
        (tmp_path / "reference_answer").mkdir()
        paths = [
            write(tmp_path / "question.jsonl", question),
            *(write(tmp_path / f"m{k}.jsonl", one) for k, one in enumerate(answers)),
            write(tmp_path / "reference_answer" / "gpt-4.jsonl", answers[0]),
        ]
        found = read(*paths)
        assert texts(found) == [
            ("A?", "a1", "a2"),
            (
                "Turn 1:\nA?\n\nTurn 2:\nB?",
                "Turn 1:\na1\n\nTurn 2:\nb1",
                "Turn 1:\na2\n\nTurn 2:\nb2",
            ),
        ]
        references = [one.request.reference for one in found if isinstance(one, Converted)]
        assert references == ["a1", "Turn 1:\na1\n\nTurn 2:\nb1"]

    def test_pandalms_results_are_labels_of_its_test_set(self, tmp_path: Path) -> None:
        (one,) = read(*self.files(tmp_path, "pandalm-results", "pandalm"))
        assert isinstance(one, Converted)
        assert [(x.annotator, x.winner) for x in one.labels][0] == ("gpt-3.5-turbo", "")
        alone = read(*self.files(tmp_path, "pandalm-results"))
        assert [x.reason for x in alone if isinstance(x, Skipped)] == ["no_texts"]


def test_documents_are_submitted_with_a_hybrid_weight(tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", ROWS["retrieval"])
    (refused,) = [dry_run(path, "--hybrid-weight", 100)]
    assert refused.exit_code != 0
    assert "candidates[2] lacks: give all of them" in refused.output
    row = {
        "query": "Why?",
        "documents": [{"id": "a", "text": "x", "score": 1}, {"id": "b", "text": "y", "score": 2}],
    }
    (request,) = sent(dry_run(write(path, row), "--hybrid-weight", 100, "--explain"))
    assert request["mode"] == "rerank"
    assert request["options"]["hybridWeight"] == 100 and request["options"]["explain"]  # type: ignore[index]
    assert [one["firstStageScore"] for one in request["candidates"]] == [1, 2]  # type: ignore[attr-defined]


CHAT = {
    "model": "ours",
    "messages": [
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": "4"},
        {"role": "user", "content": "Sure?"},
        {"role": "assistant", "content": "Yes."},
    ],
}
MT_BENCH = (
    {"question_id": 81, "category": "writing", "turns": ["Write a line.", "Make it rhyme."]},
    {
        "question_id": 81,
        "answer_id": "a",
        "model_id": "m1",
        "choices": [{"index": 0, "turns": ["A line.", "A line so fine."]}],
    },
    {
        "question_id": 81,
        "answer_id": "b",
        "model_id": "m2",
        "choices": [{"index": 0, "turns": ["Words.", "More words."]}],
    },
)


def talks(*arguments: object) -> list[tuple[str, list[list[tuple[str, str]]]]]:
    """Request ids, and the conversations of each."""
    done = dry_run(*arguments)
    assert done.exit_code == 0, done.output
    found = []
    for row in sent(done):
        candidates = row["candidates"]
        assert isinstance(candidates, list) and row["mode"] == "multi_turn"
        found.append(
            (
                str(row["requestId"]),
                [[(turn["role"], turn["text"]) for turn in one["turns"]] for one in candidates],
            )
        )
    return found


class TestConversations:
    def test_a_chat_file_is_judged_as_whole_conversations(self, tmp_path: Path) -> None:
        file = write(tmp_path / "chat.jsonl", CHAT)
        ((identity, (turns,)),) = talks("--conversations", "whole", file)
        assert turns == [
            ("user", "2 + 2?"),
            ("assistant", "4"),
            ("user", "Sure?"),
            ("assistant", "Yes."),
        ]
        assert identity.endswith("-whole")
        ((other, _),) = talks("--conversations", "last_turn", file)
        assert other != identity and other.endswith("-last_turn")

    def test_chat_files_of_two_models_make_pairs_of_conversations(self, tmp_path: Path) -> None:
        other = {
            **CHAT,
            "model": "theirs",
            "messages": [*CHAT["messages"][:3], {"role": "assistant", "content": "No."}],
        }
        files = (write(tmp_path / "a.jsonl", CHAT), write(tmp_path / "b.jsonl", other))
        ((_, conversations),) = talks("--conversations", "last_turn", "--join", "question", *files)
        assert [turns[-1] for turns in conversations] == [
            ("assistant", "Yes."),
            ("assistant", "No."),
        ]
        assert [len(turns) for turns in conversations] == [4, 4]

    def test_two_replies_to_the_same_messages_are_two_conversations(self, tmp_path: Path) -> None:
        row = {"messages": CHAT["messages"][:3], "choices": ["Yes.", "No."]}
        file = write(tmp_path / "openai.jsonl", row)
        ((_, conversations),) = talks("--conversations", "last_turn", file)
        assert [turns[-1][1] for turns in conversations] == ["Yes.", "No."]

    def test_the_two_turns_of_mt_bench_are_conversations(self, tmp_path: Path) -> None:
        questions = write(tmp_path / "question.jsonl", MT_BENCH[0])
        answers = [write(tmp_path / f"{k}.jsonl", row) for k, row in enumerate(MT_BENCH[1:])]
        first, both = talks("--conversations", "whole", questions, *answers)
        assert [len(turns) for turns in first[1]] == [2, 2]
        assert both[1][0] == [
            ("user", "Write a line."),
            ("assistant", "A line."),
            ("user", "Make it rhyme."),
            ("assistant", "A line so fine."),
        ]

    def test_a_row_without_a_conversation_is_set_aside(self, tmp_path: Path) -> None:
        (skipped,) = read(
            write(
                tmp_path / "rows.jsonl",
                {"question": "q", "answer_a": "1", "answer_b": "2", "winner": "a"},
            ),
            conversations=Focus.WHOLE,
        )
        assert isinstance(skipped, Skipped) and skipped.reason == "no_conversation"

    def test_our_own_requests_keep_turns_rubric_and_discussion(self, tmp_path: Path) -> None:
        turns = [{"role": "user", "text": "Hi"}, {"role": "assistant", "text": "Hello!"}]
        criteria = [{"id": "tone", "description": "It is polite.", "passThreshold": 5}]
        said = [{"role": "judge", "text": "8 6"}, {"role": "user", "text": "Why?"}]
        rows = (
            {"requestId": "t", "mode": "multi_turn", "candidates": [{"turns": turns}]},
            {
                "requestId": "r",
                "mode": "rubric",
                "question": "q",
                "candidates": [{"text": "a"}],
                "rubric": {"criteria": criteria},
            },
            {
                "requestId": "f",
                "mode": "follow_up",
                "question": "q",
                "candidates": [{"text": "a"}, {"text": "b"}],
                "discussion": said,
            },
        )
        done = dry_run(write(tmp_path / "own.jsonl", *rows))
        assert done.exit_code == 0, done.output
        talk, rubric, asked = sent(done)
        assert talk["candidates"] == [{"id": "1", "turns": turns}]
        assert rubric["rubric"] == {
            "criteria": [
                {
                    "id": "tone",
                    "description": "It is polite.",
                    "low": 1.0,
                    "high": 10.0,
                    "weight": 1.0,
                    "passThreshold": 5.0,
                }
            ]
        }
        assert asked["discussion"] == said
