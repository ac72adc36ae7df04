"""What comes in: foreign JSON, poison between good records, and what happens before a worker starts."""

import json
import subprocess
import time
from datetime import UTC, datetime
from itertools import count

import pytest
from kafka import KafkaProducer

from judgestream.contracts.topics import DEAD_LETTERS, MAX_REQUEST_BYTES, REQUESTS, VERDICTS
from judgestream.v1.judging_pb2 import DeadLetter, Verdict
from tests.integration.cluster import Cluster, empty, pairs, wait, worker_command

pytestmark = pytest.mark.integration


def test_json_alone_from_kafka_python_as_a_foreign_producer_writes_it(cluster: Cluster) -> None:
    cluster.work()
    producer = KafkaProducer(bootstrap_servers=cluster.kafka.bootstrap)
    before = datetime.now(UTC)
    for k in range(20):
        producer.send(
            "judge.requests.v1",
            json.dumps(
                {
                    "requestId": f"json-{k}",
                    "question": "Which is a fruit?",
                    "candidates": [{"text": "an apple"}, {"text": "a hammer" * k}],
                    "metadata": {"team": "search"},
                }
            ).encode(),
            headers=[("traceparent", b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")],
        )
    producer.flush(30)
    producer.close()
    cluster.wait_verdicts([f"json-{k}" for k in range(20)], seconds=30)
    for _, record in cluster.records(VERDICTS):
        verdict = Verdict.FromString(record.value)
        headers = dict(record.headers)
        assert record.key == verdict.request_id.encode()
        assert headers["ce_id"] == verdict.verdict_id.encode()
        assert headers["traceparent"].startswith(b"00-0af7651916cd43dd8448eb211c80319c")
        assert verdict.metadata["team"] == "search"
        assert [score.candidate_id for score in verdict.scores] == ["1", "2"]
        assert verdict.requested_at.ToDatetime(tzinfo=UTC).timestamp() >= before.timestamp() - 1


def test_json_verdicts_when_a_setting_says_so(cluster: Cluster) -> None:
    cluster.work(judging__verdict_format="application/json")
    cluster.submit(pairs(1, "out"))
    wait(lambda: cluster.count(VERDICTS) == 1, what="a verdict", seconds=30)
    ((_, record),) = cluster.records(VERDICTS)
    assert json.loads(record.value)["requestId"] == "out-0"
    assert dict(record.headers)["content-type"] == b"application/json"


def test_the_second_order_only_where_the_first_is_unsure(cluster: Cluster) -> None:
    cluster.work(judging__swap_rate=0.01, judging__second_order_below=0.9)
    numbers = count()

    def one_order() -> bool:
        (asked,) = cluster.submit(pairs(1, f"first-{next(numbers)}"))
        found = cluster.wait_verdicts([asked], seconds=30)
        return any(len(one.passes) == 1 for one in found if one.request_id == asked)

    # until Redis has said that no alarm is raised, all pairs are judged in both orders
    wait(one_order, what="a pair judged in one order", seconds=30)
    asked = pairs(40, "sure") + pairs(40, "unsure")
    for request in asked[40:]:
        request.question += " UNSURE"
    verdicts = cluster.wait_verdicts(cluster.submit(asked), seconds=30)
    marks: dict[str, list[list[bool]]] = {"sure": [], "unsure": [], "first": []}
    for one in verdicts:
        marks[one.request_id.split("-")[0]].append([two.because_unsure for two in one.passes])
    # one in a hundred is in the sample, which is judged in both orders at once
    assert marks["sure"].count([False]) > 35 and [False, True] not in marks["sure"]
    assert marks["unsure"].count([False, True]) > 35 and [False] not in marks["unsure"]
    assert {one.both_orders_probability for one in verdicts if "sure" in one.request_id} == {0.01}


POISON = {
    "undecodable": b"\xff\xfe\x00not a record",
    "unknown_mode": b'{"requestId": "p-mode", "mode": "majority", "question": "q"}',
    "empty_question": b'{"requestId": "p-question", "candidates": [{"text": "a"}, {"text": "b"}]}',
    "invalid_request": b'{"requestId": "p-three", "question": "q", "candidates": [{},{},{}]}',
    "prompt_too_long": json.dumps(
        {
            "requestId": "p-long",
            "question": "q",
            "candidates": [{"text": "x" * 200_000}, {"text": "b"}],
        }
    ).encode(),
    "oversize": b'{"requestId": "p-size", "question": "' + b"x" * MAX_REQUEST_BYTES + b'"}',
}


def test_poison_between_good_records_harms_nothing_and_is_kept_whole(cluster: Cluster) -> None:
    producer = KafkaProducer(
        bootstrap_servers=cluster.kafka.bootstrap, max_request_size=4 << 20, acks="all"
    )
    good = pairs(300, "good")
    sent: dict[bytes, tuple[int, int]] = {}
    headers = [("content-type", b""), ("who", b"\x00\xff"), ("who", b"again")]
    for k, request in enumerate(good):
        if k % 50 == 25:
            value = list(POISON.values())[k // 50]
            at = producer.send(REQUESTS.name, value, b"key", headers=headers).get(timeout=30)
            sent[value] = (at.partition, at.offset)
        producer.send(REQUESTS.name, request.SerializeToString(), request.request_id.encode())
    producer.flush(30)
    producer.close()
    cluster.work()
    # the last two from bytes that could not be decoded: by what still shows the id, and by the key
    told = {"p-mode", "p-question", "p-three", "p-long", "p-size", "key"}
    ids = {request.request_id for request in good}
    verdicts = cluster.wait_verdicts(ids | told, seconds=60)
    failed = {v.request_id for v in verdicts if v.status == Verdict.STATUS_FAILED}
    assert failed == told
    wait(lambda: cluster.count(DEAD_LETTERS) == len(POISON), what="dead letters", seconds=30)
    letters = [DeadLetter.FromString(record.value) for _, record in cluster.records(DEAD_LETTERS)]
    assert {letter.error_class: letter.value for letter in letters} == POISON
    for letter in letters:
        assert (letter.topic, letter.key) == (REQUESTS.name, b"key")
        assert (letter.partition, letter.offset) == sent[letter.value]
        assert [(h.key, h.value) for h in letter.headers] == headers
        assert letter.error_message and letter.consumer_group == "judgestream-judging"


def test_a_redelivered_request_is_not_published_again(cluster: Cluster) -> None:
    cluster.work()
    ids = cluster.submit(pairs(100, "again"))
    cluster.wait_verdicts(ids, seconds=30)
    cluster.submit(pairs(100, "again"))
    done = cluster.submit(pairs(1, "done"))
    cluster.wait_verdicts(done, seconds=30)
    time.sleep(1)
    assert cluster.count(VERDICTS) == 101


def run_worker(cluster: Cluster, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        worker_command("judging", 0),
        env=cluster.environment(**settings),
        cwd=cluster.folder,
        capture_output=True,
        text=True,
        timeout=90,
    )


def test_a_worker_says_what_is_missing_before_it_starts(cluster: Cluster) -> None:
    unreachable = run_worker(cluster, triton__grpc="127.0.0.1:9")
    assert unreachable.returncode == 3 and "JUDGESTREAM_TRITON__GRPC" in unreachable.stderr
    broker = run_worker(cluster, kafka__bootstrap="127.0.0.1:9", kafka__connect_timeout_s=1)
    assert broker.returncode == 3 and "JUDGESTREAM_KAFKA__BOOTSTRAP" in broker.stderr
    empty(cluster.kafka)
    topics = run_worker(cluster)
    assert topics.returncode == 2
    assert "judge.requests.v1: missing" in topics.stderr and "topics apply" in topics.stderr
    misspelt = run_worker(cluster, kafka__bootstrp="x")
    assert misspelt.returncode == 2 and "JUDGESTREAM_KAFKA__BOOTSTRP" in misspelt.stderr


def test_a_worker_waits_for_a_release_that_is_not_loaded_and_says_so(cluster: Cluster) -> None:
    log = cluster.folder / "waiting.log"
    with log.open("w") as file:
        worker = subprocess.Popen(
            worker_command("judging", 0),
            env=cluster.environment(triton__release="judgelm-nowhere"),
            cwd=cluster.folder,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        try:
            wait(
                lambda: "judgelm-nowhere" in log.read_text(),
                what="the worker's word on judgelm-nowhere",
                seconds=60,
            )
            assert worker.poll() is None
        finally:
            worker.terminate()
            worker.wait(30)
    assert "Traceback" not in log.read_text()
