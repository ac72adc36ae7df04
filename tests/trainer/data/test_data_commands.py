"""`judgestream data`: what it prints and writes, and its exit codes."""

import json
from pathlib import Path

import pytest

from judgestream_trainer.data import read_examples
from tests.paths import ROOT
from tests.trainer.command_line import captured

SAMPLES = ROOT / "services" / "judgestream" / "samples"
TINY = SAMPLES.parents[2] / "triton_models" / "judges" / "tiny"
TRL = [
    {"prompt": f"Question {k}?", "chosen": "Hello there.", "rejected": "Go away."}
    for k in range(60)
]


def run(*arguments: object) -> tuple[int, str]:
    return captured(["data", *map(str, arguments)])


def refused(message: str, *arguments: object) -> None:
    code, text = run(*arguments)
    assert code == 2 and message in text


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(json.dumps(row) + "\n" for row in [*TRL, TRL[0], TRL[1] | {"chosen": ""}])
    )
    return path


def test_check_prints_counts_balance_lengths_duplicates_and_sides(rows: Path) -> None:
    code, text = run("check", rows, "--test", "0.5")
    assert code == 0
    assert "62 read, 61 kept, 1 left out (1 empty_answer)" in text
    assert "without reference: 61 judgements: first " in text
    assert "duplicates: 1, 0 of them with another winner" in text
    counts = [int(line.split()[1]) for line in text.splitlines() if " examples of " in line]
    assert sum(counts) == 60 and min(counts) > 0


def test_check_counts_tokens_where_there_is_a_tokenizer(rows: Path, tmp_path: Path) -> None:
    code, text = run("check", rows, "--tokenizer", TINY, "--max-tokens", "5")
    assert code == 0 and "length in tokens: median " in text and "61 above 5" in text
    refused("nothing", "check", rows, "--tokenizer", tmp_path / "nothing")


def test_check_says_no_when_nothing_is_left(rows: Path) -> None:
    code, text = run("check", rows, "--exclude", rows)
    assert code == 1 and "61 left out for their questions" in text


def test_converted_files_are_read_as_the_same_examples(tmp_path: Path) -> None:
    files = [SAMPLES / "requests.jsonl", SAMPLES / "labels.jsonl"]
    out = tmp_path / "out.jsonl"
    code, text = run("convert", *files, "--out", out)
    assert code == 0 and not out.with_name("out.jsonl.part").exists()
    before, counts = read_examples(files)
    after, _ = read_examples([out])
    assert after == before and len(after) == 34
    assert f"{counts}\n34 examples are in {out}" in text


def test_sides_are_written_apart_and_add_up(rows: Path, tmp_path: Path) -> None:
    prompts: list[set[str]] = []
    for side in ("train", "validation", "test"):
        out = tmp_path / side
        run("convert", rows, "--out", out, "--side", side, "--validation", "0.2", "--test", "0.2")
        prompts.append({example.question for example in read_examples([out])[0]})
    assert sum(map(len, prompts)) == 60 and len(set().union(*prompts)) == 60


def test_a_malformed_file_writes_nothing(rows: Path, tmp_path: Path) -> None:
    rows.write_text(rows.read_text() + '{"prompt": "x"}\n')
    message = "line 63: field chosen: is missing"
    refused(message, "convert", rows, "--out", tmp_path / "out")
    assert list(tmp_path.iterdir()) == [rows]


def test_wrong_settings_are_refused(rows: Path, tmp_path: Path) -> None:
    refused("name files, or --topic", "check")
    refused("nothing to train on", "check", rows, "--test", "1")
    refused("cannot be written", "convert", rows, "--out", tmp_path / "no" / "folder")
    refused("add --tokenizer", "check", rows, "--recipe", tmp_path / "any.yaml")
