"""`submit`, with every format, and its wait for verdicts."""

import json
from pathlib import Path

import pytest

from judgestream.client import pair
from judgestream.contracts.topics import (
    LABELS,
    REQUESTS,
)
from judgestream.core.types import (
    Request,
    Status,
    Verdict,
)
from judgestream.settings import Kafka
from judgestream.terminal.exit_codes import ExitCode
from judgestream.v1.judging_pb2 import JudgeRequest, Label
from tests.integration.client.records import (
    judging,
    letter,
    publish,
    run,
    set_aside,
    there,
    verdict,
)

pytestmark = pytest.mark.integration


ROWS = {
    "judgestream": {
        "requestId": "r",
        "question": "q",
        "candidates": [{"text": "a"}, {"text": "b"}],
    },
    "judgelm": {
        "question_id": 1,
        "question_body": "q",
        "answer1_body": "a",
        "answer2_body": "b",
        "score": [8, 4],
    },
    "trl": {"id": "r", "prompt": "q", "chosen": "a", "rejected": "b"},
    "openai": {"id": "r", "messages": [{"role": "user", "content": "q"}], "choices": ["a", "b"]},
    "pandalm": {
        "instruction": "q",
        "input": "",
        "response1": "a",
        "response2": False,
        "annotator1": 1,
        "annotator2": 2,
        "annotator3": 1,
    },
}
LABELS_OF = {"judgelm": 1, "trl": 1, "pandalm": 3}


class TestSubmit:
    @pytest.mark.parametrize("form", ROWS)
    def test_every_format_reaches_the_topics(self, kafka: Kafka, tmp_path: Path, form: str) -> None:
        path = tmp_path / "rows"
        path.write_text(json.dumps([ROWS[form]]))
        done = run("submit", str(path), "--format", "json", "--content-type", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == {"requests": 1, "labels": LABELS_OF.get(form, 0)}
        (found,) = there(kafka, REQUESTS, JudgeRequest)
        assert isinstance(found.message, JudgeRequest)
        assert found.message.question == "q"
        assert sorted(c.text for c in found.message.candidates)[-1:] == (
            ["a"] if form == "pandalm" else ["b"]
        )
        labels = there(kafka, LABELS, Label)
        assert len(labels) == LABELS_OF.get(form, 0)
        assert all(one.record.key == found.record.key for one in labels)

    def test_the_published_pandalm_file_goes_through_whole(
        self, kafka: Kafka, shared_data: Path
    ) -> None:
        path = shared_data / "pandalm" / "testset-v1.json"
        if not path.is_file():
            pytest.skip(f"{path} is not there")
        done = run("submit", str(path), "--from", "pandalm", "--format", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout) == {"requests": 999, "labels": 2997}
        assert len({one.record.key for one in there(kafka, REQUESTS, JudgeRequest)}) == 999

    def test_a_bad_record_stops_everything_before_anything_is_sent(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = tmp_path / "rows"
        path.write_text("\n".join(json.dumps(row) for row in (ROWS["trl"], {"prompt": "x"})))
        assert run("submit", str(path)).exit_code == ExitCode.USAGE
        assert there(kafka, REQUESTS, JudgeRequest) == []

    def test_wait_follows_its_own_requests_and_sums_them_up(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = _pairs(tmp_path, 4)
        winners = {"r0": "1", "r1": "2", "r2": "", "r3": "1"}
        publish(kafka, verdict(pair("old", "a", "b", request_id="other"), winner="1"))

        def judge(request: Request) -> Verdict:
            name = request.request_id
            return verdict(request, winner=winners[name], flipped=name == "r3")

        with judging(kafka, judge):
            done = run("submit", str(path), "--wait", "--timeout", "60", "--format", "json")
        assert done.exit_code == 0, done.output
        found = json.loads(done.stdout)
        wanted = {"scored": 4, "first_won": 2, "second_won": 1, "ties": 1, "flips": 1}
        assert {name: found[name] for name in wanted} == wanted
        assert found["no_verdict"] == 0 and found["median_latency_s"] == 0.25

    def test_wait_names_what_has_no_verdict_at_the_deadline(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = _pairs(tmp_path, 2)
        with judging(kafka, lambda r: verdict(r, winner="1") if r.request_id == "r0" else None):
            done = run("submit", str(path), "--wait", "--timeout", "3")
        assert done.exit_code == ExitCode.TIMEOUT
        assert "1 of 2 requests have no verdict after 3 s (r1)" in done.stderr

    def test_a_failed_or_dead_lettered_request_makes_the_exit_code_one(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = _pairs(tmp_path, 2)
        aside = letter()
        aside.key, aside.request_id = b"r1", "r1"

        def judge(request: Request) -> Verdict | None:
            if request.request_id == "r1":
                set_aside(kafka, aside)
                return None
            return verdict(request, winner="", status=Status.FAILED)

        with judging(kafka, judge):
            done = run("submit", str(path), "--wait", "--timeout", "60", "--format", "json")
        assert done.exit_code == ExitCode.NO, done.output
        assert json.loads(done.stdout)["failed"] == 2
        assert "failed, undecodable: no such field (r1)" in done.stderr

    def test_requests_that_were_judged_before_are_found_and_said(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        path = _pairs(tmp_path, 1)
        publish(kafka, verdict(pair("q", "a", "b", request_id="r0"), winner="2"))
        done = run("submit", str(path), "--wait", "--timeout", "40", "--format", "json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["judged_before"] == 1
        assert "had been judged before" in done.stderr


def _pairs(folder: Path, count: int) -> Path:
    path = folder / "pairs.jsonl"
    own = ROWS["judgestream"]
    assert isinstance(own, dict)
    rows = [{**own, "requestId": f"r{k}"} for k in range(count)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path
