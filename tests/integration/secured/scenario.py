"""A load on the secured pipeline, while every certificate is renewed and a release is promoted."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import psutil
from kafka import KafkaConsumer, TopicPartition

from judgestream.adapters.kafka.connection import client_options
from judgestream.contracts.topics import Topic
from judgestream.local.ports import HOST
from judgestream.v1 import rollout_pb2 as pb
from tests.integration.cluster import INSTANT, wait
from tests.integration.prometheus_server import Prometheus, prometheus
from tests.integration.rollout_scenario import CANDIDATE
from tests.integration.secured.handshakes import shown_certificate
from tests.integration.secured.load import Load, Readings
from tests.integration.secured.stack import MOVER, Stack, secured_stack

COUNT = 1000
RATE = 45.0
INFERENCES = f'sum(nv_inference_count{{model="{INSTANT}"}})'
AUDITOR = "auditor"
"""The client that looks at the certificates of servers."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """The stack after the load, and what was seen."""

    stack: Stack
    prometheus: Prometheus
    ids: list[str]
    readings: Readings
    judged_before: float
    """Inputs that Triton's release in service had judged before the load: of checks at the start."""


@contextmanager
def proof_of(folder: Path) -> Iterator[Proof]:
    """Start everything, let the load flow, and keep it up."""
    with secured_stack(folder) as stack, prometheus(folder / "prometheus", stack.jobs) as server:
        await_stage(stack, INSTANT, pb.STAGE_STABLE)
        server.wait_up()
        before = server.value(INFERENCES)
        consumer = stack.kafka.by_password("consumer")
        producer = stack.kafka.by_password("producer")
        with Readings(consumer) as readings, Load(producer, count=COUNT, rate=RATE) as load:
            load.allow(0.3)
            renew_kafka(stack)
            readings.connect_anew()
            load.allow(0.5)
            renew_store_and_clients(stack)
            load.allow(0.6)
            renew_rollout(stack)
            move(stack, "stage", pb.STAGE_STAGED)
            move(stack, "shadow", pb.STAGE_SHADOW, share=0.5)
            load.allow(0.8)
            load.await_sent()
            move(stack, "promote", pb.STAGE_STABLE)
            load.allow(1.0)
            load.await_sent()
            readings.wait_for(load.ids, seconds=60)
            settle(server)
        yield Proof(
            stack=stack,
            prometheus=server,
            ids=load.ids,
            readings=readings,
            judged_before=before,
        )


def await_stage(stack: Stack, release: str, stage: pb.Stage) -> None:
    with stack.calls(MOVER) as calls:
        wait(
            lambda: any(
                (one.release, one.stage, one.step) == (release, stage, pb.STEP_READY)
                for one in calls.get().releases
            ),
            what=f"{release} to be ready in stage {stage}",
            seconds=30,
        )


def move(stack: Stack, action: str, stage: pb.Stage, *, share: float = 0.0) -> None:
    with stack.calls(MOVER) as calls:
        calls.move(action, release=CANDIDATE, share=share, by="ana", why="the proof", force=True)
    await_stage(stack, CANDIDATE, stage)


def local_ports(stack: Stack, name: str) -> set[int]:
    """Local ports of a process's connections to Kafka."""
    return {
        one.laddr.port
        for one in psutil.Process(stack.processes[name].pid).net_connections("tcp")
        if one.raddr and one.raddr.port == stack.kafka.port
    }


def shown(stack: Stack, address: str) -> str:
    """The certificate of a server now."""
    return shown_certificate(address, stack.authority, stack.identity(AUDITOR))


def renew_kafka(stack: Stack) -> None:
    """The broker shows a new certificate, and every worker has made new connections since."""
    address = f"{HOST}:{stack.kafka.port}"
    before = shown_certificate(address, stack.kafka.authority)
    stack.kafka.renew_certificate()
    wait(
        lambda: shown_certificate(address, stack.kafka.authority) != before,
        what="Kafka to show its renewed certificate",
        seconds=10,
    )
    old = {name: local_ports(stack, name) for name in stack.processes}
    wait(
        lambda: all(local_ports(stack, name) - old[name] for name in old if name != "rollout-0"),
        what="every worker to connect anew to Kafka",
        seconds=30,
    )


def renew_store_and_clients(stack: Stack) -> None:
    """The store and every client show new certificates, and every service has connected with them."""
    before = stack.store.shown()
    stack.renew_identities()
    stack.store.renew_certificates()
    assert stack.store.shown() != before
    services = {stack.store.user(kind) for kind in ("judging", "shadow", "bias", "rollout")}
    wait(
        lambda: services <= stack.store.connected(),
        what="each service to connect to the store with its renewed certificate",
        seconds=20,
    )
    logs = [stack.folder / f"judging-{slot}.log" for slot in (0, 1)]
    wait(
        lambda: all("uses renewed files" in log.read_text() for log in logs),
        what="the judging workers to use their renewed certificate at Triton",
        seconds=20,
    )


def renew_rollout(stack: Stack) -> None:
    """The rollout service shows a new certificate to who connects from now on."""
    before = shown(stack, stack.rollout)
    stack.authority.server("rollout-service")
    assert shown(stack, stack.rollout) != before


def settle(server: Prometheus) -> None:
    """Until the last verdict is counted everywhere, and scraped."""
    for expression in (
        "sum(judgestream_requests_total)",
        # a duplicate: the connection ended between the count and its answer
        'sum(judgestream_bias_verdicts_counted_total{outcome=~"fresh|duplicate"})',
    ):
        wait(
            lambda expression=expression: server.value(expression) >= COUNT,  # type: ignore[misc]
            what=f"{expression} to be {COUNT}",
            seconds=30,
        )
    wait(
        lambda: server.value("sum(judgestream_lag_records)") == 0,
        what="the lag to be measured as 0",
        seconds=30,
    )


def everything(stack: Stack, *topics: Topic) -> list[Any]:
    """The records of these topics, as the operator reads them."""
    options = client_options(stack.kafka.by_password("operator"))
    with closing(KafkaConsumer(**options, group_id=None)) as consumer:
        places = [TopicPartition(one.name, p) for one in topics for p in range(one.partitions)]
        consumer.assign(places)
        for place, offset in consumer.beginning_offsets(places).items():
            consumer.seek(place, offset)
        ends = consumer.end_offsets(places)
        found: list[Any] = []
        deadline = monotonic() + 30
        while any(consumer.position(place) < ends[place] for place in places):
            assert monotonic() < deadline, f"read {len(found)} records in 30 s"
            for batch in consumer.poll(timeout_ms=500).values():
                found += batch
    return found
