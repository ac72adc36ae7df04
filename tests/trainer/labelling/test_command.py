"""The command from files to files: its output, and that a crash, a signal or a budget loses nothing."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from judgestream_trainer.data import read_examples
from judgestream_trainer.data.split import prompt_key
from judgestream_trainer.labelling.journal import NAME
from tests.backends.chat.endpoint import Answer, Sent, completion, serving
from tests.paths import JUDGES, PYTHONPATH, ROOT
from tests.trainer.command_line import main
from tests.trainer.labelling.inputs import Inputs, by_length, inputs, lines, rows_of

TINY = JUDGES / "tiny"
SIDES = ("train", "validation", "test")
PRICED = ("--price-in", "2", "--price-out", "10")


def files(out: Path) -> dict[str, bytes]:
    """The data set's files, without the journal, whose order is random."""
    return {
        name: (out / name).read_bytes()
        for name in (*(f"{side}.jsonl" for side in SIDES), "dataset.json")
    }


def manifest(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "dataset.json").read_text("utf-8"))
    return found


def build(
    made: Inputs, out: Path, answer: Answer, *options: str, model: str = "t"
) -> tuple[int, int]:
    """Exit code, and the number of requests to the teacher."""
    with serving(answer) as server:
        code = main(made.arguments(out, "--teacher", server.url, model, *options))
        return code, len(server.requests)


def test_pairs_are_judged_with_and_without_reference_and_read_back_as_examples(
    tmp_path: Path,
) -> None:
    made = inputs(tmp_path, count=40)
    out = tmp_path / "out"
    shares = ("--validation", "0.2", "--test", "0.2")
    code, requests = build(made, out, by_length, "--pairs", "2", *shares, *PRICED)
    assert (code, requests) == (0, 40 * 2 + 20 * 2)
    examples, counts = read_examples([out / f"{side}.jsonl" for side in SIDES])
    assert counts.kept == counts.read == 80 and not counts.lost
    for example in examples:
        first, second = map(len, example.answers)
        expected = (8.0, 3.0) if first > second else (3.0, 8.0)
        assert example.blind is not None and example.blind.scores == expected
        assert example.blind.explanation == "By itself."
        assert (example.informed is not None) == (example.reference is not None)
        if example.informed is not None:
            assert example.informed.explanation == "By the reference."
    told = manifest(out)
    assert told["counts"]["records"] == 80 and told["counts"]["with_reference"] == 20
    assert told["counts"]["judgements_without_reference"] == {"usable": 80}
    assert told["counts"]["judgements_with_reference"] == {"usable": 40}
    assert told["usage"]["input_tokens"] == 120 * 321
    assert told["usage"]["cost"] == pytest.approx(120 * (321 * 2 + 4 * 10) / 1e6)
    assert [one["name"] for one in told["inputs"]][0] == "seeds.jsonl"
    assert sum(one["records"] for one in told["outputs"]) == 80
    assert str(tmp_path) not in json.dumps(told)


def test_a_record_has_the_field_names_of_judgelm_100k(tmp_path: Path) -> None:
    assert build(inputs(tmp_path, count=1), tmp_path / "out", by_length)[0] == 0
    rows = [row for side in SIDES for row in rows_of(tmp_path / "out" / f"{side}.jsonl")]
    assert set(rows[0]) == {
        *("review_id", "question_id", "answer1_id", "answer2_id", "reviewer_id", "metadata"),
        *("text", "score", "question_body", "answer1_body", "answer2_body", "answer1_model_id"),
        *("answer2_model_id", "answer1_metadata", "answer2_metadata", "reference"),
        *("score_w_reference", "text_w_reference"),
    }
    assert rows[0]["text"].splitlines()[0] in ("8 3", "3 8")


def test_no_prompt_is_on_two_sides_of_the_split_however_it_is_written(tmp_path: Path) -> None:
    made = inputs(tmp_path)
    questions = [
        {"question_id": f"{k}-{n}", "question_body": text}
        for k in range(30)
        for n, text in enumerate(
            (f"Name {k} primes", f"name  {k} PRIMES!", f"Please, name {k} primes?", f"Why {k}?")
        )
    ]
    lines(made.seeds, questions)
    for path in made.answers:
        wrote = [{**q, "text": f"{path.stem} says {q['question_id']}"} for q in questions]
        lines(path, wrote)
    lines(made.references, [])
    shares = ("--validation", "0.3", "--test", "0.3")
    assert build(made, tmp_path / "out", by_length, *shares)[0] == 0
    prompts = [
        {prompt_key(row["question_body"]) for row in rows_of(tmp_path / "out" / f"{side}.jsonl")}
        for side in SIDES
    ]
    assert all(len(side) >= 5 for side in prompts)
    train, validation, test = prompts
    assert not (train & validation or train & test or validation & test)


def test_unusable_replies_are_counted_by_reason(tmp_path: Path) -> None:
    """Questions 1, 3 and 5 have no reference; question 2 has, and keeps its other judgement."""
    made = inputs(tmp_path, count=12)
    replies = {
        "number 1 ": "I'm sorry, I cannot do that.",
        "number 3 ": "Well ...",
        "number 5 ": "",
        "number 2 ": "0 0\nBoth useless.",
    }

    def some(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        user = body["messages"][-1]["content"].split("===== answer 1")[0]
        for part, text in replies.items():
            if part in user and "correct answer" not in user:
                return 200, {}, completion(text)
        return by_length(body)

    out = tmp_path / "out"
    assert build(made, out, some)[0] == 0
    counts = manifest(out)["counts"]
    assert counts["judgements_without_reference"] == {
        "empty_reply": 1,
        "off_scale": 1,
        "teacher_declined": 1,
        "unreadable": 1,
        "usable": 8,
    }
    assert (counts["records"], counts["dropped"]) == (9, {"no_judgement": 3})
    examples, _ = read_examples([out / f"{side}.jsonl" for side in SIDES])
    assert sum(one.blind is None for one in examples) == 1


def test_a_repeated_build_is_identical_and_sends_no_prompt(tmp_path: Path) -> None:
    made = inputs(tmp_path)
    with serving(by_length) as server:
        teacher = ("--teacher", server.url, "t")
        assert main(made.arguments(tmp_path / "a", *teacher)) == 0
        asked, first = len(server.requests), files(tmp_path / "a")
        assert main(made.arguments(tmp_path / "a", *teacher)) == 0
        assert len(server.requests) == asked and files(tmp_path / "a") == first
        assert main(made.arguments(tmp_path / "b", *teacher, "--concurrency", "1")) == 0
        assert files(tmp_path / "b") == first
        assert main(made.arguments(tmp_path / "c", *teacher, "--seed", "1")) == 0
        assert files(tmp_path / "c") != first


def test_prompts_with_unusable_replies_are_sent_again_on_request(tmp_path: Path) -> None:
    made = inputs(tmp_path)
    good = [False]

    def readable_later(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        bad = "number 1 " in body["messages"][-1]["content"] and not good[0]
        return (200, {}, completion("Hm.")) if bad else by_length(body)

    with serving(readable_later) as server:
        arguments = made.arguments(tmp_path / "out", "--teacher", server.url, "t")
        assert main(arguments) == 0
        asked = len(server.requests)
        good[0] = True
        assert main(arguments) == 0 and len(server.requests) == asked
        assert main([*arguments, "--ask-again"]) == 0 and len(server.requests) == asked + 1
    assert manifest(tmp_path / "out")["counts"]["records"] == 10


def test_a_budget_stops_the_build_and_partial_writes_the_replies_so_far(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A judgement costs (321 * 2 + 4 * 10) / 1e6 = 0.000682; the budget is that of 12.5."""
    made = inputs(tmp_path, count=20)
    out = tmp_path / "out"
    options = (*PRICED, "--max-tokens", "50", "--concurrency", "3", "--budget")
    with serving(by_length) as server:
        arguments = made.arguments(out, "--teacher", server.url, "t", *options)
        assert main([*arguments, "0.0085"]) == 1
        told = " ".join(capsys.readouterr().err.split())
        done = len(server.requests)
        assert 0 < done <= 12
        assert f"the budget is exhausted: {30 - done} of 30 judgements are missing" in told
        assert not (out / "dataset.json").exists()
        assert main([*arguments, "0.0085", "--partial"]) == 1  # the budget holds over several runs
        assert len(server.requests) <= 12
        assert manifest(out)["usage"]["cost"] <= 0.0085
        counts = manifest(out)["counts"]
        assert counts["judgements_without_reference"]["unasked"] > 0
        assert main([*arguments, "1"]) == 0
        assert len(server.requests) == 30
    assert "unasked" not in manifest(out)["counts"]["judgements_without_reference"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--budget", "5"), "--price-in"),
        (("--pairs", "0"), "--pairs is 0"),
        (("--validation", "0.6", "--test", "0.4"), "nothing to train on"),
        (
            ("--key-variable", "JUDGESTREAM_TEST_NO_KEY"),
            "variable JUDGESTREAM_TEST_NO_KEY is not set",
        ),
        (("--template", "none"), "unknown template 'none'"),
        (("--concurrency", "0"), "--concurrency"),
        (("--max-characters", "10"), "has no pair to judge: 30 too_long"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_invalid_settings_are_refused_before_any_prompt_is_sent(
    tmp_path: Path, options: tuple[str, ...], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build(inputs(tmp_path), tmp_path / "out", by_length, *options) == (2, 0)
    assert told in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("url", ["localhost:1", "http://user:secret@127.0.0.1/v1"])
def test_an_invalid_url_or_one_with_a_key_is_refused(tmp_path: Path, url: str) -> None:
    arguments = inputs(tmp_path).arguments(tmp_path / "out", "--teacher", url, "t")
    assert main(arguments) == 2


def test_the_key_is_read_from_the_environment_and_stored_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGESTREAM_TEST_KEY", "geheim")
    out = tmp_path / "out"
    with serving(by_length) as server:
        teacher = ("--teacher", server.url, "t", "--key-variable", "JUDGESTREAM_TEST_KEY")
        assert main(inputs(tmp_path).arguments(out, *teacher)) == 0
        assert set(server.keys) == {"Bearer geheim"}
    assert not any(b"geheim" in path.read_bytes() for path in out.iterdir())


def test_a_refused_key_ends_the_command_and_says_how_to_fix_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused: Sent = (401, {}, {"error": {"message": "bad key"}})
    assert build(inputs(tmp_path), tmp_path / "out", lambda body: refused)[0] == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "bad key" in told and "--key-variable" in told


def started(arguments: list[str]) -> "subprocess.Popen[str]":
    root = ROOT
    environment = {**os.environ, "PYTHONPATH": PYTHONPATH}
    return subprocess.Popen(
        [sys.executable, "-m", "judgestream_trainer", *arguments],
        cwd=root,
        env={**environment, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(what: str, ready: Callable[[], bool], process: "subprocess.Popen[str]") -> None:
    until = time.monotonic() + 120
    while not ready():
        assert process.poll() is None, (
            f"ended before {what}: {process.stderr and process.stderr.read()}"
        )
        assert time.monotonic() < until, f"waited 120 s for {what}"
        time.sleep(0.01)


def judged(out: Path) -> int:
    return (out / NAME).read_bytes().count(b"\n") if (out / NAME).exists() else 0


def slowly(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    time.sleep(0.05)
    return by_length(body)


@pytest.mark.integration
def test_a_killed_build_resumes_and_writes_the_same_files(
    tmp_path: Path,
) -> None:
    made = inputs(tmp_path, count=60)
    with serving(slowly) as server:
        teacher = ("--teacher", server.url, "t", "--concurrency", "4", *PRICED)
        arguments = made.arguments(tmp_path / "killed", *teacher)
        process = started(arguments)
        try:
            wait_for("20 judgements", lambda: judged(tmp_path / "killed") >= 20, process)
        finally:
            process.send_signal(signal.SIGKILL)
            process.communicate(timeout=60)
        path = tmp_path / "killed" / NAME
        path.write_bytes(path.read_bytes()[:-9])  # and the last line is incomplete
        left, asked = 90 - judged(tmp_path / "killed"), len(server.requests)
        assert 0 < left <= 71 and asked < 90
        assert main(arguments) == 0
        assert len(server.requests) == asked + left
        assert main(made.arguments(tmp_path / "whole", *teacher)) == 0
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 0)], ids=["SIGINT", "SIGTERM"]
)
def test_a_signal_stops_the_command_which_says_how_to_continue(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    out = tmp_path / "out"
    with serving(slowly) as server:
        teacher = ("--teacher", server.url, "t", "--concurrency", "2")
        process = started(inputs(tmp_path, count=200).arguments(out, *teacher))
        try:
            wait_for("5 judgements", lambda: judged(out) >= 5, process)
            process.send_signal(number)
            _, told = process.communicate(timeout=60)
        finally:
            process.kill()
            process.wait(timeout=60)
        assert process.returncode == code, told
        assert judged(out) == len(server.requests) < 300  # replies in flight are kept
    assert "run the same command again" in told and "Traceback" not in told
    assert not (out / "dataset.json").exists()


def test_a_bundled_judge_can_be_the_teacher(tmp_path: Path) -> None:
    made = inputs(tmp_path)
    out = tmp_path / "out"
    teacher = ("--judge", str(TINY), "--max-tokens", "40")
    assert main(made.arguments(out, *teacher)) == 0
    told = manifest(out)
    assert told["teacher"]["kind"] == "release" and len(told["teacher"]["checkpoint_digest"]) == 64
    assert told["teacher"]["template"] == "judgelm-v1"
    assert told["usage"]["judgements"] == 15 and told["usage"]["input_tokens"] > 0
    examples, counts = read_examples([out / f"{side}.jsonl" for side in SIDES])
    assert counts.kept == told["counts"]["records"] > 0
    first = files(out)
    assert main(made.arguments(out, *teacher)) == 0
    assert files(out) == first
