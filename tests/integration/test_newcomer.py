"""A newcomer's day on the real stack, by the commands of README and docs and nothing else.

One `judgestream up` in an empty home, with the test-size judge; then four kinds of producers, consumers,
labels, a dead letter, a second release, an endpoint, a fine-tuning, an install from a store, and `down`. No
variable names an address: every command finds the running stack by itself.
"""

import asyncio
import csv
import io
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import confluent_kafka
import pytest
from aiokafka import AIOKafkaProducer
from kafka import KafkaProducer

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.local.ports import free_port
from tests.backends.chat.endpoint import prefers_longer, serving
from tests.integration.detached import stopped_at_the_end
from tests.integration.second_judge import second_judge
from tests.paths import RECIPES

pytestmark = pytest.mark.integration

TINY = bundled_models() / "judges" / "tiny"
REQUESTS = "judge.requests.v1"
PORTS = (
    *("KAFKA_PORT", "REDIS_PORT", "ROLLOUT_PORT"),
    *("TRITON_HTTP_PORT", "TRITON_GRPC_PORT", "TRITON_METRICS_PORT"),
)


@dataclass
class Newcomer:
    """A person with a shell in an empty home."""

    home: Path
    environment: dict[str, str]
    kafka: str

    def run(self, command: str, *, code: int = 0, seconds: float = 120) -> str:
        """A command's standard output. Fails the test when it does not exit with `code`."""
        words = shlex.split(command)
        program = Path(sys.executable).with_name(words[0])
        done = subprocess.run(
            [str(program), *words[1:]],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )
        told = f"{command}: exit {done.returncode}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert done.returncode == code, told
        assert "Traceback" not in done.stderr, told
        return done.stdout

    def lines(self, command: str, *, seconds: float = 120) -> list[dict[str, Any]]:
        """The JSON lines that a command prints."""
        return [json.loads(text) for text in self.run(command, seconds=seconds).splitlines()]

    def verdict(self, request_id: str, *, seconds: float = 60) -> dict[str, Any]:
        """The request's only verdict, once it is there."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.lines("judgestream verdicts export")
            ours = [one for one in found if one["requestId"] == request_id]
            if ours:
                assert len(ours) == 1, ours
                return ours[0]
            time.sleep(0.5)
        raise TimeoutError(f"waited {seconds:.0f} s for a verdict on {request_id!r}")


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Newcomer]:
    home = tmp_path_factory.mktemp("home")
    ports = {name: str(free_port()) for name in PORTS}
    environment = {
        "HOME": str(home),
        "PATH": os.environ["PATH"],
        **{f"JUDGESTREAM_LOCAL__{name}": port for name, port in ports.items()},
    }
    person = Newcomer(home, environment, kafka=f"127.0.0.1:{ports['KAFKA_PORT']}")
    down = [str(Path(sys.executable).with_name("judgestream")), "down"]
    with stopped_at_the_end(down, environment=environment, cwd=home):
        person.run(f"judgestream up --judge {TINY}", seconds=300)
        yield person


def test_the_stack_is_found_and_well_without_any_variable(newcomer: Newcomer) -> None:
    assert "judging" in newcomer.run("judgestream status")
    steps = newcomer.lines("judgestream doctor --format json")
    assert {step["state"] for step in steps} == {"ok"}
    assert newcomer.lines("judgestream verdicts export") == []  # the probe left no trace


def test_four_kinds_of_producers_are_judged(newcomer: Newcomer) -> None:
    _file_by_command(newcomer)
    _python_client(newcomer)
    plain = {"question": "2 + 2?", "candidates": [{"text": "4"}, {"text": "5"}]}
    kafka_python = KafkaProducer(bootstrap_servers=newcomer.kafka, compression_type="gzip")
    kafka_python.send(REQUESTS, json.dumps({"requestId": "kafka-python", **plain}).encode())
    kafka_python.close()
    confluent = confluent_kafka.Producer(
        {"bootstrap.servers": newcomer.kafka, "compression.type": "lz4"}
    )
    confluent.produce(REQUESTS, json.dumps({"requestId": "confluent", **plain}).encode())
    assert confluent.flush(30) == 0
    asyncio.run(_aiokafka(newcomer.kafka, json.dumps({"requestId": "aiokafka", **plain}).encode()))
    for request_id in ("file-1", "python", "kafka-python", "confluent", "aiokafka"):
        assert newcomer.verdict(request_id)["status"] == "STATUS_SCORED"


def _file_by_command(newcomer: Newcomer) -> None:
    rows = [
        {"request_id": f"file-{k}", "prompt": f"{k} + {k}?", "chosen": str(2 * k), "rejected": "7"}
        for k in (1, 2, 3)
    ]
    (newcomer.home / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    newcomer.run("judgestream submit pairs.jsonl --wait")


def _python_client(newcomer: Newcomer) -> None:
    program = newcomer.home / "judge.py"
    program.write_text(
        "from judgestream.client import judge, pair\n"
        "verdict = judge(pair('2 + 2?', '4', '5', request_id='python'))\n"
        "print(verdict.status.value)\n"
    )
    assert newcomer.run(f"python {program}").strip() == "scored"


async def _aiokafka(bootstrap: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, compression_type="zstd") as producer:
        await producer.send_and_wait(REQUESTS, value)


def test_verdicts_are_read_labelled_and_taken_away(newcomer: Newcomer) -> None:
    newcomer.run("judgestream submit pairs.jsonl --wait")  # the same file again: nothing new
    assert "file-1" in newcomer.run("judgestream verdicts tail --all")
    assert "question: 1 + 1?" in newcomer.run("judgestream verdicts get file-1 --with-texts")
    rows = csv.DictReader(io.StringIO(newcomer.run("judgestream verdicts export --as csv")))
    assert [row["request_id"] for row in rows].count("file-2") == 1
    newcomer.run("judgestream verdicts export --as parquet --out verdicts.parquet")
    assert (newcomer.home / "verdicts.parquet").stat().st_size > 0
    (told,) = newcomer.lines("judgestream agreement --format json")
    assert told["n"] == 3  # TRL rows bring their labels along
    assert newcomer.run("judgestream bias recompute")


def test_a_bad_record_is_set_aside_and_told(newcomer: Newcomer) -> None:
    producer = KafkaProducer(bootstrap_servers=newcomer.kafka, compression_type="snappy")
    producer.send(REQUESTS, b'{"requestId": "bad", "question": ""}')
    producer.send(REQUESTS, b"\xff not a record")
    producer.close()
    assert newcomer.verdict("bad")["status"] == "STATUS_FAILED"
    letters = newcomer.lines("judgestream dlq list --format json")
    assert {letter["errorClass"] for letter in letters} == {"empty_question", "undecodable"}
    newcomer.run(f"judgestream dlq inspect {letters[0]['deadLetterId']}")
    newcomer.run("judgestream status")  # bad records are not a bad stack


def _submit_one(newcomer: Newcomer, request_id: str) -> dict[str, Any]:
    row = {
        "request_id": request_id,
        "prompt": "Name a colour.",
        "chosen": "Blue.",
        "rejected": "Seven.",
    }
    (newcomer.home / "one.jsonl").write_text(json.dumps(row))
    newcomer.run("judgestream submit one.jsonl --wait")
    return newcomer.verdict(request_id)


def test_a_second_release_is_installed_used_and_the_first_unloaded(newcomer: Newcomer) -> None:
    folder = second_judge(newcomer.home / "second")
    (release,) = newcomer.lines(f"judgestream release install {folder} --format json")
    newcomer.run(f"judgestream release use {release['release']}", seconds=300)
    assert _submit_one(newcomer, "second")["release"] == release["release"]
    listed = newcomer.lines("judgestream release list --format json")
    other = next(one["release"] for one in listed if one["release"] != release["release"])
    newcomer.run(f"judgestream release unload {other}")
    newcomer.run(f"judgestream release unload {release['release']}", code=2)  # in use: refused


def test_an_endpoint_becomes_a_release(newcomer: Newcomer) -> None:
    with serving(prefers_longer) as endpoint:
        (release,) = newcomer.lines(
            f"judgestream release endpoint {endpoint.url} some-model --format json"
        )
        newcomer.run(f"judgestream release use {release['release']}", seconds=300)
        verdict = _submit_one(newcomer, "by-endpoint")
        assert (verdict["release"], verdict["status"]) == (release["release"], "STATUS_SCORED")
        assert endpoint.requests
        newcomer.run(f"judgestream release use {_judgelm_release(newcomer)}", seconds=300)


def _judgelm_release(newcomer: Newcomer) -> str:
    listed = newcomer.lines("judgestream release list --format json")
    return next(str(one["release"]) for one in listed if one["release"].startswith("judgelm-"))


def test_a_judge_is_fine_tuned_published_and_installed_from_the_store(newcomer: Newcomer) -> None:
    rows = [
        {"request_id": f"t{k}", "prompt": f"Say {k}.", "chosen": f"{k}", "rejected": "No idea."}
        for k in range(64)
    ]
    (newcomer.home / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = RECIPES / "small-fine-tune.yaml"
    newcomer.run(
        f"judgestream train --recipe {recipe} --base {TINY} --data train.jsonl --out tuned",
        seconds=300,
    )
    newcomer.run("judgestream evaluate --checkpoint tuned --data train.jsonl", seconds=300)
    store = newcomer.home / "store"
    newcomer.run(f"judgestream publish tuned {store.as_uri()}")
    (published,) = [path for path in store.iterdir() if path.is_dir()]
    (release,) = newcomer.lines(f"judgestream release install {published.as_uri()} --format json")
    newcomer.run(f"judgestream release use {release['release']}", seconds=300)
    assert _submit_one(newcomer, "by-tuned")["release"] == release["release"]
