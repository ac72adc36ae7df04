"""An upgrade from the last release and the way back, worker by worker, while requests come in.

The last release is `protos/released.txt`'s: the first version whose protos later ones keep. It is older than
the rule about unknown fields, the traces of workers and the logins of Redis and Kafka.
"""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kafka import KafkaProducer
from typer.testing import CliRunner

from judgestream.apps.cli import main
from judgestream.contracts.topics import DEAD_LETTERS, TOPICS, VERDICTS
from judgestream.contracts.unknown_fields import LAST_ESSENTIAL
from judgestream.local.process import ServerProcess
from judgestream.terminal.exit_codes import ExitCode
from judgestream.v1.judging_pb2 import Verdict
from tests.integration.cluster import Cluster, await_partitions, empty, pairs, start_worker, wait
from tests.integration.in_thread import Stream
from tests.integration.last_release import LastRelease
from tests.integration.otlp import Receiver, receiving
from tests.integration.test_bias import expected, reports

pytestmark = pytest.mark.integration

TRACED = "traceparent"
"""A header that only new workers write here: requests come without, and the old version starts no traces."""
CLI = ("-m", "judgestream.apps.cli")
STREAM = "rolling"
ENOUGH = 5
"""Verdicts of a version that show that it works."""

READ_VERDICTS = """
import json, judgestream
from judgestream.client import read_verdicts
print(judgestream.__file__)
for one in read_verdicts():
    print(json.dumps([one.request_id, one.verdict_id, one.winner]))
"""


class Upgrade:
    """The workers of a cluster, of two versions."""

    def __init__(self, cluster: Cluster, old: LastRelease, receiver: Receiver) -> None:
        self.cluster, self.old = cluster, old
        self.old_settings = cluster.environment()
        self.new_settings = cluster.environment(
            telemetry__endpoint=receiver.endpoint, telemetry__sample_ratio=1.0
        )

    def start(self, *names: str, new: bool) -> None:
        """Start workers, such as `judging-0`, at the same time. Those that have the slots end before."""
        workers = self.cluster.workers
        ended = [workers[name] for name in names if name in workers]
        with ThreadPoolExecutor() as pool:
            list(pool.map(ServerProcess.stop, ended))
        for process in ended:
            assert process.poll() == 0, process.log_tail()
        started = [self._start(name, new=new) for name in names]
        for process in started:
            await_partitions(process)

    def _start(self, name: str, *, new: bool) -> ServerProcess:
        kind, slot = name.split("-")
        variables = self.new_settings if new else self.old.environment(self.old_settings)
        process = start_worker(kind, int(slot), folder=self.cluster.folder, env=variables)
        self.cluster.workers[name] = process
        return process

    def by_version(self) -> Counter[str]:
        """The number of verdict records that each version wrote."""
        return Counter(
            "new" if TRACED in dict(record.headers) else "old"
            for _, record in self.cluster.records(VERDICTS)
        )

    def wait_for(self, *versions: str) -> None:
        """Wait until each of these versions has written some more verdicts."""
        before = self.by_version()
        wait(
            lambda: all(self.by_version()[one] >= before[one] + ENOUGH for one in versions),
            what=f"verdicts of {' and '.join(versions)} workers",
            seconds=60,
        )

    def wait_counted(self) -> None:
        """Wait until the bias worker has counted every verdict that there is now."""
        wanted = len({one.verdict_id for one in self.cluster.verdicts()})
        wait(
            lambda: sum(one.counts["n"] for one in reports(self.cluster).values()) >= wanted,
            what=f"reports of {wanted} verdicts",
            seconds=60,
        )


@pytest.fixture
def upgrade(cluster: Cluster, tmp_path: Path) -> Iterator[Upgrade]:
    """The old version's topics, without workers."""
    old = LastRelease(tmp_path / "old")
    empty(cluster.kafka)
    made = old.run(*CLI, "topics", "apply", variables=cluster.environment())
    assert made.returncode == 0, made.stderr
    with receiving() as receiver:
        yield Upgrade(cluster, old, receiver)


def write_as_a_later_version(cluster: Cluster) -> None:
    """Publish a verdict again, with a field and a header that only add to it and that no version knows."""
    records = [record for _, record in cluster.records(VERDICTS)]
    record = next(one for one in records if one.key.startswith(STREAM.encode()))
    key = (LAST_ESSENTIAL + 1) << 3  # a varint
    field = bytes([key & 0x7F | 0x80, key >> 7, 1])
    assert len(Verdict.FromString(record.value + field).SerializeToString()) > len(record.value)
    producer: KafkaProducer = cluster.producer()
    headers = [*record.headers, ("ce_later", b"\xff")]
    producer.send(VERDICTS.name, record.value + field, record.key, headers=headers).get(timeout=30)
    producer.close()


def test_versions_change_side_by_side_and_back_without_losing_a_request(upgrade: Upgrade) -> None:
    cluster = upgrade.cluster
    by_old, by_new = pairs(20, "by-old"), pairs(20, "by-new")
    upgrade.start("judging-0", "bias-0", new=False)
    once = cluster.submit(by_old)
    with Stream(cluster, STREAM, batch=4, sleep_ms=10) as stream:
        upgrade.wait_for("old")
        planned = CliRunner().invoke(main, ["topics", "plan"], env=cluster.environment())
        assert planned.exit_code == 0, planned.output
        assert planned.stdout == f"all {len(TOPICS)} topics are as specified\n"
        cluster.wait_verdicts(once, seconds=60)

        upgrade.start("bias-0", "judging-1", new=True)
        upgrade.wait_for("old", "new")
        upgrade.start("judging-0", new=True)
        old_ones = upgrade.by_version()["old"]
        cluster.submit(by_old)  # suppressed by what the old worker noted in Redis
        once += cluster.submit(by_new)
        cluster.wait_verdicts(once, seconds=60)
        upgrade.wait_for("new")
        upgrade.wait_counted()
        assert upgrade.by_version()["old"] == old_ones
        write_as_a_later_version(cluster)

        upgrade.start("judging-1", "bias-0", new=False)
        cluster.submit(by_new)  # suppressed, half of them by the old worker
        upgrade.wait_for("old", "new")
        upgrade.wait_counted()

    ids = [*stream.ids, *once]
    verdicts = cluster.wait_verdicts(ids, seconds=60)
    records = Counter(one.request_id for one in verdicts)
    assert {records[one] for one in once} == {1}
    # a record that moves to another worker may be published twice, under one id (docs/reference/delivery.md)
    judged = Counter(
        request_id for request_id, _ in {(v.request_id, v.verdict_id) for v in verdicts}
    )
    assert judged == Counter(ids)
    assert {one.status for one in verdicts} == {Verdict.STATUS_SCORED}
    assert cluster.count(DEAD_LETTERS) == 0
    wait(
        lambda: (
            expected(cluster)
            == {key: dict(one.counts) for key, one in reports(cluster).items() if one.counts["n"]}
        ),
        what="the bias reports to equal a recount",
        seconds=60,
    )

    run = upgrade.old.run
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(run, "-c", READ_VERDICTS, variables=upgrade.old_settings)
        starting = pool.submit(run, *CLI, "worker", "judging", variables=upgrade.new_settings)
    client, refused = reading.result(), starting.result()
    place, *lines = client.stdout.splitlines()
    assert Path(place).is_relative_to(upgrade.old.sources), client.stderr
    read = [json.loads(line) for line in lines]
    assert {tuple(one) for one in read} == {
        (v.request_id, v.verdict_id, v.winner) for v in verdicts
    }

    assert refused.returncode == ExitCode.USAGE
    assert "JUDGESTREAM_TELEMETRY__ENDPOINT: no such setting" in refused.stderr
