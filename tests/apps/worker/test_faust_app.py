"""The Faust app is built from the settings of its worker."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from judgestream.apps.worker.faust_app import OpenWorker, WorkerSpec, build
from judgestream.apps.worker.readiness import ignore_ready
from judgestream.apps.worker.status import WorkerStatus
from judgestream.contracts.topics import VERDICTS
from judgestream.process_health import Health
from judgestream.settings import Bias, Consumer, Judging, Settings

SETTINGS = Settings(
    judging=Judging(buffer_records=11, commit_interval_s=0.25),
    bias=Bias(buffer_records=22, commit_interval_s=0.75, inflight=5, outstanding=6),
)


@asynccontextmanager
async def never_opened() -> AsyncIterator[OpenWorker]:
    raise AssertionError("only a running app opens its worker")
    yield


@pytest.mark.parametrize("consumer", [SETTINGS.judging, SETTINGS.bias], ids=["judging", "bias"])
def test_a_worker_obeys_its_own_settings(consumer: Consumer) -> None:
    app = build(
        WorkerSpec(
            settings=SETTINGS,
            consumer=consumer,
            slot=3,
            topic=VERDICTS,
            open=never_opened,
            status=WorkerStatus(kind="x", slot=3),
            ready=ignore_ready,
            health=Health(),
        )
    )
    assert app.conf.id == consumer.group
    assert app.conf.consumer_group_instance_id == f"{consumer.group}-3"
    assert app.conf.stream_buffer_maxsize == consumer.buffer_records
    assert app.conf.broker_commit_interval == consumer.commit_interval_s
    assert app.tracker._max_inflight == consumer.inflight
    assert app.tracker._max_outstanding == consumer.outstanding


def test_both_workers_have_the_same_consumer_settings() -> None:
    shared = set(Consumer.model_fields)
    assert shared <= set(Judging.model_fields) & set(Bias.model_fields)
