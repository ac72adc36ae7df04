"""Odd records of every kind among good ones, on real Kafka, with two judging workers and a bias worker: all
good ones are judged, every odd one is accounted for, and no worker ends.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka import AIOKafkaProducer

from judgestream.adapters.kafka.lag import GroupLag
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.topics import admin
from judgestream.adapters.redis.worker_board import WorkerBoard
from judgestream.contracts.topics import BIAS, DEAD_LETTERS, LABELS, REQUESTS, VERDICTS, Topic
from judgestream.core.errors import UndecodableRecord
from judgestream.local.triton import TritonServer
from judgestream.settings import Redis
from judgestream.v1.bias_pb2 import BiasReport
from judgestream.v1.judging_pb2 import DeadLetter, Label, Verdict
from tests.integration import odd_records
from tests.integration.cluster import Cluster, pairs, running, wait
from tests.integration.odd_records import RELEASE, Odd, alone, request, verdict
from tests.integration.raw_batches import Put, put, write_over

pytestmark = pytest.mark.integration

GOOD = 200


@dataclass(frozen=True, kw_only=True)
class Sent:
    odd: Odd
    put: Put


@dataclass(frozen=True, kw_only=True)
class Fed:
    cluster: Cluster
    sent: list[Sent]
    good: list[str]
    pids: dict[str, int]

    def of(self, topic: Topic) -> list[Sent]:
        return [one for one in self.sent if one.put.topic == topic.name]


def kinds(topic: Topic) -> list[Odd]:
    special = {
        REQUESTS.name: odd_records.requests,
        VERDICTS.name: odd_records.verdicts,
        LABELS.name: odd_records.labels,
    }[topic.name]
    return [*odd_records.general(topic.name, "odd-"), *special()]


async def transactions(bootstrap: str) -> None:
    """One committed and one aborted on every partition of the three topics."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, transactional_id="odd")
    await producer.start()
    for end in (producer.abort_transaction, producer.commit_transaction):
        await producer.begin_transaction()
        kept = "committed" if end == producer.commit_transaction else "aborted"
        for topic, sound in odd_records.SOUND.items():
            for partition in range(8):
                value = sound(f"odd-{kept}-{partition}")
                await producer.send(topic, value, partition=partition)
        await end()
    await producer.stop()


@pytest.fixture(scope="module")
def fed(tmp_path_factory: pytest.TempPathFactory, shared_triton: TritonServer) -> Iterator[Fed]:
    folder = tmp_path_factory.mktemp("poison")
    with running(folder, shared_triton) as cluster:
        sent = asyncio.run(feed(cluster, folder))
        for slot in range(2):
            cluster.work(slot=slot)
        cluster.work("bias")
        good = cluster.submit(pairs(GOOD // 2, "good-after"))
        good += [f"good-{k}" for k in range(GOOD // 2)]
        yield Fed(
            cluster=cluster,
            sent=sent,
            good=good,
            pids={name: cluster.workers[name].pid for name in cluster.workers},
        )


async def feed(cluster: Cluster, folder: Path) -> list[Sent]:
    """Odd batches with good ones between them; those that the broker refuses go into its files."""
    await transactions(cluster.kafka.bootstrap)
    odd = [(topic, one) for topic in (REQUESTS, VERDICTS, LABELS) for one in kinds(topic)]
    items: list[tuple[str, int, bytes]] = []
    for k, (topic, one) in enumerate(odd):
        items.append((topic.name, k % topic.partitions, one.batch))
    puts = await put(cluster.kafka.bootstrap, items)
    good = [
        (REQUESTS.name, k % 8, alone(request(f"good-{k}").SerializeToString()))
        for k in range(GOOD // 2)
    ]
    good += [
        (VERDICTS.name, k % 8, alone(verdict(f"good-{k}").SerializeToString())) for k in range(GOOD)
    ]
    await put(cluster.kafka.bootstrap, good)
    cluster.kafka.stop()
    write_over(folder / "kafka", puts)
    cluster.kafka.start()
    return [Sent(odd=one, put=where) for (_, one), where in zip(odd, puts, strict=True)]


def test_there_are_many_kinds() -> None:
    for topic, least in ((REQUESTS, 60), (VERDICTS, 60), (LABELS, 50)):
        assert len({one.name for one in kinds(topic)}) >= least


def test_every_good_request_is_judged(fed: Fed) -> None:
    wanted = set(fed.good)
    wait(
        lambda: wanted <= {one.request_id for one in judged(fed)},
        what=f"{GOOD} good requests to be judged",
        seconds=60,
    )
    status = {one.request_id: one.status for one in judged(fed) if one.request_id in wanted}
    assert Counter(status.values()) == {Verdict.STATUS_SCORED: GOOD}


def test_every_odd_request_is_accounted_for(fed: Fed) -> None:
    partitions = [(REQUESTS.name, k) for k in range(8)]
    with closing(admin(fed.cluster.settings)) as client:
        behind = GroupLag(fed.cluster.settings, "judgestream-judging", client=client)
        wait(lambda: behind(partitions) == 0, what="the judging group to be done", seconds=60)
    verdicts = {one.request_id: one.status for one in judged(fed)}
    letters = {
        (letter.partition, letter.offset): letter
        for letter in dead_letters(fed.cluster)
        if letter.topic == REQUESTS.name
    }
    wrong: list[str] = []
    for one in fed.of(REQUESTS):
        name, outcome = one.odd.name, one.odd.outcome
        letter = letters.pop((one.put.partition, one.put.offset), None)
        if outcome == "read":
            ids = [f"odd-{name}"] if one.odd.read == 1 else [f"odd-{name}-{k}" for k in range(3)]
            found = [verdicts.get(identity) for identity in ids]
            right = letter is None and found == [Verdict.STATUS_SCORED] * len(ids)
        elif outcome == "any":
            right = letter is not None or any(
                identity.startswith("odd-") and status == Verdict.STATUS_SCORED
                for identity, status in verdicts.items()
            )
        else:
            right = letter is not None
        if not right:
            wrong.append(f"{name}: {outcome}, but {letter and letter.error_message[:80]!r}")
    assert wrong == []
    assert letters == {}, "nothing else was set aside"
    told = {identity for identity, status in verdicts.items() if status == Verdict.STATUS_FAILED}
    assert {"odd-none", "odd-100", "odd-candidate", "odd-equal", "odd-blank", "odd-long"} <= told
    assert {f"odd-committed-{k}" for k in range(8)} <= set(verdicts)
    assert not any("aborted" in identity for identity in verdicts)


def test_every_verdict_is_counted_or_set_aside(fed: Fed) -> None:
    sent = fed.of(VERDICTS)
    read = sum(one.odd.read for one in sent if one.odd.outcome == "read")
    aside = sum(one.odd.outcome == "aside" for one in sent)
    wanted = GOOD + read + 8  # and the committed transaction
    wait(
        lambda: counted(fed) >= wanted and board(fed)["bias-0"] >= aside,
        what=f"{wanted} verdicts counted ({counted(fed)}), {aside} set aside ({board(fed)})",
        seconds=60,
    )
    assert counted(fed) == wanted
    assert board(fed)["bias-0"] == aside
    whole = [one for one in dead_letters(fed.cluster) if one.topic == VERDICTS.name]
    assert {one.consumer_group for one in whole} == {"judgestream-bias"}
    assert {one.error_class for one in whole} == {"unreadable_batch"}


def test_every_label_is_read_or_named(fed: Fed) -> None:
    with TopicReader(fed.cluster.settings, LABELS, Label) as reader:
        found = list(reader.read(reader.beginning(), until=reader.end(), deadline_s=30))
    aside = {
        (one.record.partition, one.record.offset)
        for one in found
        if isinstance(one.message, UndecodableRecord)
    }
    sent = fed.of(LABELS)
    wanted = {(s.put.partition, s.put.offset) for s in sent if s.odd.outcome == "aside"}
    assert aside == wanted
    read = sum(one.odd.read for one in sent if one.odd.outcome == "read")
    assert len(found) - len(aside) == read + 8


def test_no_worker_has_ended_and_no_group_is_behind(fed: Fed) -> None:
    for name, pid in fed.pids.items():
        process = fed.cluster.workers[name]
        assert process.running and process.pid == pid
        log = process.command.log_path.read_text()
        assert "Crashed" not in log and "ends this worker" not in log
        assert "could not be handled" not in log, "each odd record is expected by somebody"
    with closing(admin(fed.cluster.settings)) as client:
        for group, topic in (("judgestream-judging", REQUESTS), ("judgestream-bias", VERDICTS)):
            behind = GroupLag(fed.cluster.settings, group, client=client)
            partitions = [(topic.name, k) for k in range(8)]
            wait(
                lambda: behind(partitions) == 0,  # noqa: B023 - called at once
                what=f"{group} to reach the end, transaction markers and all",
                seconds=20,
            )


def judged(fed: Fed) -> list[Verdict]:
    """What the judging workers have published. The topic holds odd records, too."""
    with TopicReader(fed.cluster.settings, VERDICTS, Verdict) as reader:
        found = reader.read(reader.beginning(), until=reader.end(), deadline_s=30)
        return [
            one.message
            for one in found
            if isinstance(one.message, Verdict) and one.message.release != RELEASE
        ]


def counted(fed: Fed) -> int:
    """Verdicts in the newest report of the window that the records belong to."""
    start = odd_records.NOW_MS // 60_000 * 60
    reports = [BiasReport.FromString(record.value) for _, record in fed.cluster.records(BIAS)]
    found = [one for one in reports if (one.release, one.window_start.seconds) == (RELEASE, start)]
    return max(found, key=lambda one: one.revision).counts["n"] if found else 0


def board(fed: Fed) -> dict[str, int]:
    """Set aside, by worker."""
    found = WorkerBoard.connect(Redis(url=fed.cluster.valkey.url))
    assert found is not None
    with found:
        return {one.name: one.counts.get("set_aside", 0) for one in found.workers()}


def dead_letters(cluster: Cluster) -> list[DeadLetter]:
    return [DeadLetter.FromString(record.value) for _, record in cluster.records(DEAD_LETTERS)]
