"""`judgestream suite` without servers: the table, published judgements, recordings, wrong usage."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from judgestream.apps.cli import main
from judgestream.suites.table import SUITES
from judgestream.terminal.exit_codes import ExitCode
from tests.suites import bright
from tests.suites.folders import mt_bench, written


def suite(*arguments: object, expect: int = 0) -> Result:
    result = CliRunner().invoke(main, ["suite", *map(str, arguments)])
    assert result.exit_code == expect, result.output
    return result


def judged_pairs(folder: Path) -> Path:
    """Two published judgements of pairs beside the questions: one consistent, one with an error."""

    def prompt(first: str, second: str) -> str:
        return (
            "[User Question]\nWhat?\n\n[The Start of Assistant A's Answer]\n"
            f"{first}\n[The End of Assistant A's Answer]\n\n[The Start of Assistant B's Answer]\n"
            f"{second}\n[The End of Assistant B's Answer]"
        )

    rows = [
        {
            "question_id": 81,
            "model_1": "ann",
            "model_2": "bob",
            "g1_winner": winner,
            "g2_winner": "model_1",
            "g1_user_prompt": prompt(f"a{k}", f"b{k}"),
            "g2_user_prompt": prompt(f"b{k}", f"a{k}"),
            "judge": ["gpt-4", "pair-v2"],
            "turn": 1,
        }
        for k, winner in enumerate(("model_1", "error"))
    ]
    return written(mt_bench(folder), {"model_judgment/gpt-4_pair.jsonl": rows})


def test_the_table_has_every_suite_with_its_files() -> None:
    text = suite("list").stdout
    rows = [json.loads(line) for line in suite("list", "--format", "json").stdout.splitlines()]
    assert [row["name"] for row in rows] == list(SUITES)
    assert all(row["name"] in text and row["files"] and row["paper"] for row in rows)
    by_name = {row["name"]: row for row in rows}
    assert by_name["judging-the-judges"]["rule"] is None
    assert by_name["mt-bench"]["recordings"] == ["gpt-4"]


def test_published_judgements_are_reported_in_every_format(tmp_path: Path) -> None:
    data = judged_pairs(tmp_path)
    found = json.loads(suite("published", "mt-bench", "--data", data, "--format", "json").stdout)
    assert found["tables"]["positions"][0]["pairs"] == 1
    assert found["tables"]["counts"][0]["dropped"] == 1
    assert "win rates" in suite("published", "mt-bench", "--data", data).stdout
    page = suite("published", "mt-bench", "--data", data, "--format", "html").stdout
    assert page.startswith("<!doctype html>")


def test_a_recording_has_both_orders_as_they_were_shown(tmp_path: Path) -> None:
    out = tmp_path / "judged.jsonl"
    suite(
        "recording", "mt-bench", "--data", judged_pairs(tmp_path / "d"), "--judge", "gpt-4", "--out", out
    )  # fmt: skip
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["answers"], row["reply"]) for row in rows] == [
        (["a0", "b0"], "A"),
        (["b0", "a0"], "B"),
        (["a1", "b1"], "error"),
        (["b1", "a1"], "B"),
    ]
    release = CliRunner().invoke(
        main,
        ["release", "recorded", str(out), "gpt-4", "--repository", str(tmp_path / "models")],
    )
    assert release.exit_code == 0 and "4 judgements, 0 of them contradict" in release.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("run", "no-such", "--data", "."), "no suite 'no-such': use one of judgelm"),
        (("run", "mt-bench", "--data", "nowhere"), "nowhere is not a folder. Put these into it"),
        (("run", "mt-bench", "--data", "."), "model_answer/*.jsonl (at least 2)"),
        (
            ("run", "judging-the-judges", "--data", ".", "--rule", "auto-j"),
            "counts every judgement by itself, so --rule does not apply",
        ),
        (
            ("run", "calc-adjudication", "--data", ".", "--unreadable", "tie"),
            "none is a tie: use --unreadable",
        ),
        (("published", "judgerank", "--data", "."), "judgerank has no published judgements"),
        (
            ("recording", "pandalm", "--data", ".", "--judge", "x", "--out", "y"),
            "no published judgements of 'x' (it has: pandalm-7b, gpt-3.5-turbo)",
        ),
        (("compare", ".", "."), "has no values.json"),
        (("ensemble", "mt-bench", "--data", ".", "a", "b"), "no ensembles: use judgerank"),
        (("ensemble", "judgerank", "--data", ".", "a"), "needs two runs or more"),
    ],
    ids=[
        *("suite", "folder", "files", "rule", "tie", "published", "judge", "compare"),
        *("ensemble", "runs"),
    ],
)
def test_wrong_usage_says_what_to_give(
    arguments: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert message in " ".join(suite(*arguments, expect=ExitCode.USAGE).output.split())


def test_an_only_that_is_not_a_fact_is_refused_before_anything_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGESTREAM_TRITON__GRPC", "127.0.0.1:1")  # nobody answers there
    data = mt_bench(tmp_path)
    asked = ("run", "mt-bench", "--data", data, "--release", "r", "--direct")
    assert "give FACT=VALUE" in suite(*asked, "--only", "turn", expect=ExitCode.USAGE).output
    unknown = suite(*asked, "--only", "turns=1", expect=ExitCode.USAGE).output
    assert "--only turns: no item of suite mt-bench has this fact" in " ".join(unknown.split())
    suite(*asked, expect=ExitCode.SERVER)
    dry = suite(*asked, "--dry-run", "--only", "turn=1", "--format", "json")
    assert json.loads(dry.stdout)["requests"] == 9 and "does not answer" in dry.stderr


def test_an_ensemble_takes_runs_of_its_own_files_only(tmp_path: Path) -> None:
    data, run = bright.folder(tmp_path / "data"), tmp_path / "run"
    asked = ("ensemble", "judgerank", "--data", data, run, tmp_path / "other")
    assert "has no run.json" in suite(*asked, expect=ExitCode.USAGE).output
    run.mkdir()
    facts = {"suite": "judgerank", "data": "other files", "seed": 0, "release": "r"}
    (run / "run.json").write_text(json.dumps(facts))
    refused = " ".join(suite(*asked, expect=ExitCode.USAGE).output.split())
    assert "holds a run with data other files" in refused
    (run / "run.json").write_text('{"seed": []}')
    assert "cannot be read" in suite(*asked, expect=ExitCode.USAGE).output
