"""The Python API and the verdict commands against a real worker: Kafka, Valkey, Triton."""

import asyncio
import csv
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from judgestream import aio
from judgestream.apps.cli import main
from judgestream.client import (
    Criterion,
    Producer,
    Rubric,
    Turn,
    VerdictTimeout,
    by_rubric,
    conversations,
    follow_up,
    judge,
    judge_all,
    pair,
    read_verdicts,
    single,
)
from judgestream.core.types import PROBE_KEY, Candidate, Status
from judgestream.settings import Kafka
from judgestream.terminal.exit_codes import ExitCode
from tests.integration.cluster import Cluster, Servers

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def judging(tmp_path_factory: pytest.TempPathFactory, servers: Servers) -> Iterator[Cluster]:
    """A cluster with one judging worker."""
    with servers.cluster(tmp_path_factory.mktemp("client")) as cluster:
        cluster.work()
        yield cluster


@pytest.fixture
def kafka(judging: Cluster, monkeypatch: pytest.MonkeyPatch) -> Kafka:
    monkeypatch.setenv("JUDGESTREAM_KAFKA__BOOTSTRAP", judging.kafka.bootstrap)
    return judging.settings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


def answer(identity: str, text: str, system: str) -> Candidate:
    return Candidate(id=identity, text=text, system=system)


def test_one_call_submits_and_waits(kafka: Kafka) -> None:
    verdict = judge(pair("Longer?", "four", "five!", request_id="one"), settings=kafka)
    assert (verdict.request_id, verdict.status) == ("one", Status.SCORED)
    assert (
        judge(pair("Longer?", "four", "five!", request_id="one")).verdict_id == verdict.verdict_id
    )
    scored = judge(single("2 + 2?", "4", reference="four", request_id="alone"), settings=kafka)
    assert (scored.mode, len(scored.scores)) == ("single", 1)


def test_conversations_and_rubrics_are_judged_and_the_judge_answers_questions(
    kafka: Kafka, tmp_path: Path
) -> None:
    said = (Turn(role="user", text="2 + 2?"), Turn(role="assistant", text="4"))
    longer = (*said, Turn(role="user", text="Sure?"), Turn(role="assistant", text="Yes."))
    talks = (Candidate(id="a", turns=said), Candidate(id="b", turns=longer))
    rubric = Rubric(
        criteria=(
            Criterion(id="facts", description="True.", high=5, pass_threshold=1),
            Criterion(id="tone", description="Polite."),
        )
    )
    asked = by_rubric("2 + 2?", "4", rubric, request_id="graded")
    compared, scored = judge_all(
        [conversations(*talks, request_id="talked"), asked], settings=kafka
    )
    assert compared.status is Status.SCORED and compared.flipped is not None
    assert [score.length for score in compared.scores] == [1, 5]
    (score,) = scored.scores
    assert scored.passed is score.passed is True and score.score is not None
    assert [one.criterion_id for one in score.criteria] == ["facts", "tone"]

    answer = judge(follow_up(asked, scored, "Why?", criterion="tone"), settings=kafka)
    assert answer.explanation and not answer.winner and answer.scores == ()

    first = run("ask", "talked", "Why?", "--format", "json")
    assert first.exit_code == 0, first.output
    again = run("ask", json.loads(first.stdout)["verdictId"][:12], "And the last turn?")
    assert again.exit_code == 0 and again.stdout.strip()
    shown = run("verdicts", "get", "graded", "--with-texts", "--format", "json")
    file = tmp_path / "graded.json"
    file.write_text(shown.stdout)
    from_file = run("ask", str(file), "Why?", "--criterion", "facts")
    assert from_file.exit_code == 0 and from_file.stdout.strip()
    refused = run("ask", "graded", "Why?", "--criterion", "style")
    assert refused.exit_code == ExitCode.USAGE and "it has facts, tone" in refused.output
    assert run("ask", "nothing-there", "Why?").exit_code == ExitCode.NO


def test_many_verdicts_come_in_the_order_of_their_requests(kafka: Kafka) -> None:
    requests = [pair(f"{k}?", "x" * k, "y", request_id=f"many-{k}") for k in range(20)]
    verdicts = judge_all(requests, settings=kafka)
    assert [verdict.request_id for verdict in verdicts] == [f"many-{k}" for k in range(20)]


def test_a_verdict_that_does_not_come_in_time_is_an_error_that_says_so(kafka: Kafka) -> None:
    slow = pair("SLEEP 4000", "a", "b", request_id="slow")
    with pytest.raises(VerdictTimeout, match="1 of 1 requests have no verdict after 1 s") as late:
        judge_all([slow], timeout_s=1)
    assert late.value.verdicts == {} and "'slow'" in str(late.value)


def test_the_async_twin_submits_waits_reads_and_can_be_cancelled(kafka: Kafka) -> None:
    async def session() -> list[str]:
        async with aio.Producer() as producer:
            for k in range(3):
                await producer.submit(pair("?", "a", "bb", request_id=f"aio-{k}"))
            assert await producer.flush() == 3
        verdict = await aio.judge(pair("?", "a", "b", request_id="aio-judge"))
        assert verdict.status is Status.SCORED
        waiting = asyncio.create_task(
            aio.judge(pair("SLEEP 4000", "a", "b", request_id="aio-cancelled"))
        )
        await asyncio.sleep(0.5)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        seen: list[str] = []
        async with asyncio.timeout(30):
            async for verdict in aio.read_verdicts(follow=True):
                seen.append(verdict.request_id)
                if {f"aio-{k}" for k in range(3)} <= set(seen):
                    break
        return seen

    assert {"aio-0", "aio-1", "aio-2"} <= set(asyncio.run(session()))


def test_get_tells_everything_about_a_verdict_with_its_texts(kafka: Kafka) -> None:
    verdict = judge(
        pair("Why?", answer("a", "Because.", "ours"), answer("b", "So.", "theirs"), request_id="g1")
    )
    done = run("verdicts", "get", "g1", "--with-texts")
    assert done.exit_code == 0, done.output
    for part in ("answer a:", "(ours)", "question: Why?", "answer b: So.", "pass straight:"):
        assert part in done.stdout
    told = json.loads(
        run("verdicts", "get", verdict.verdict_id[:10], "--with-texts", "--format", "json").stdout
    )
    assert (told["requestId"], told["request"]["question"]) == ("g1", "Why?")
    none = run("verdicts", "get", "nobody")
    assert none.exit_code == ExitCode.NO and "no verdict has the id 'nobody'" in none.stderr


def test_exports_are_filtered_and_joined_with_texts(kafka: Kafka, tmp_path: Path) -> None:
    judge_all(
        [
            pair(f"Export {k}?", answer("a", "x" * 9, "export-ours"), answer("b", "y", "other"))
            for k in range(3)
        ]
    )
    done = run("verdicts", "export", "--as", "csv", "--system", "export-ours", "--with-texts")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert {row["question"] for row in rows} == {f"Export {k}?" for k in range(3)}
    assert all(row["answer_1"] == "x" * 9 and row["system_2"] == "other" for row in rows)
    file = tmp_path / "v.parquet"
    done = run("verdicts", "export", "--as", "parquet", "--out", str(file), "--system", "other")
    assert done.exit_code == 0, done.output
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed")
    assert parquet.read_table(file).num_rows == 3
    refused = run("verdicts", "export", "--as", "parquet")
    assert refused.exit_code == ExitCode.USAGE and "--out" in refused.stderr


def test_probes_are_not_exported_or_read(kafka: Kafka) -> None:
    probe = pair("Probe?", "a", "b", request_id="probe", metadata={PROBE_KEY: "doctor"})
    with Producer() as producer:
        producer.submit(probe)
    judge(pair("After?", "a", "b", request_id="after-probe"))
    assert "probe" not in {verdict.request_id for verdict in read_verdicts(kafka)}
    exported = [json.loads(text) for text in run("verdicts", "export").stdout.splitlines()]
    assert "probe" not in {one["requestId"] for one in exported}
