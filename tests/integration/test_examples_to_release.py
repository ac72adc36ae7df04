"""From labelled examples on a topic to a release in service, and no further than the evidence allows.

The trainer trains on examples and publishes; the rollout service stages what it publishes, puts it into
shadow, makes it a canary and promotes it. Then somebody's flipped labels reach the training topic. The
trainer, whose limits are wide open here, publishes their judge, too. Labels on live requests show what it is
worth, and the rollout's gate rolls it back. Nobody touches anything.
"""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle, islice
from pathlib import Path

import pytest
import yaml
from pydantic import SecretStr

from judgestream.adapters.kafka.publishing import RecordPublisher, RequestPublisher
from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.rollout.calls import RolloutCalls
from judgestream.core.types import Label, Options, ReferenceUse
from judgestream.local.ports import HOST, free_port
from judgestream.local.process import Command, ServerProcess
from judgestream.v1 import rollout_pb2 as pb
from judgestream_trainer.cards.judging import request_of, truth_of
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.stream import publish
from judgestream_trainer.tasks import FAMILIES, items
from tests.integration.cluster import Cluster, wait
from tests.integration.in_thread import InThread
from tests.paths import JUDGES

pytestmark = pytest.mark.integration

TINY = JUDGES / "tiny"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
PER_S = 12.0
RECIPE = {
    "name": "continued",
    "seed": 5,
    "size": {"context": 2304, "max_input": 2048},
    "optimisation": {
        "batch": 8,
        "epochs": 1,
        "warmup": 0,
        "optimizer": "adamw",
        "other_lr": 0.001,
        "explanation_probability": 0.0,
    },
}
POLICY = {
    "guards": {
        "labels": {"margin": 0.4, "least_units": 30},
        "consistency": {"margin": 0.3, "least_units": 30},
        "scored": {"margin": 0.2, "least_units": 30},
    },
    "automatic": {"promote": True},
    "canary_share": 0.5,
    "canary_steps": [],
    "canary_step_s": 2,
    "least_shadow_units": 30,
    "watch_s": 5,
}


def drawn(count: int, *, seed: int, held_out: bool) -> list[Example]:
    """Pairs of a family in which the tiny judge is nearly always right, each with another question."""
    found = islice(items(FAMILIES["formats"], seed=seed, held_out=held_out), 20 * count)
    return list(islice({one.question: one.example for one in found}.values(), count))


def flipped(example: Example) -> Example:
    """The example with the scores of the two answers exchanged, under another id."""

    def other(judgement: Judgement | None) -> Judgement | None:
        if judgement is None:
            return None
        first, second = judgement.scores
        return replace(judgement, scores=(second, first))

    return replace(
        example,
        id=f"flipped-{example.id}",
        blind=other(example.blind),
        informed=other(example.informed),
    )


class Traffic(InThread):
    """Requests with a right label each, at a steady rate until it is stopped."""

    def __init__(self, cluster: Cluster) -> None:
        super().__init__()
        self._cluster = cluster

    def work(self) -> None:
        blind = Options(reference_use=ReferenceUse.NEVER)
        with RequestPublisher(self._cluster.settings) as publisher:
            for k, example in enumerate(cycle(drawn(200, seed=8, held_out=True))):
                if self.stopped.wait(1.0 / PER_S):
                    return
                asked = replace(
                    request_of(example, options=blind), request_id=f"live-{k}", requested_at=NOW
                )
                publisher.submit(asked)
                publisher.label(_label(asked.request_id, example))


def _label(request_id: str, example: Example) -> Label:
    truth = truth_of(example, with_reference=False)
    return Label(
        label_id=f"label-of-{request_id}",
        request_id=request_id,
        annotator="computed",
        labelled_at=NOW,
        winner=truth.winner(["a", "b"]),
        tie=not truth,
    )


@pytest.fixture
def trainer(cluster: Cluster, tmp_path: Path) -> Iterator[ServerProcess]:
    base = tmp_path / "base"
    shutil.copytree(TINY, base)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(RECIPE), encoding="utf-8")
    process = ServerProcess(
        Command(
            name="trainer",
            argv=[
                *(sys.executable, "-m", "judgestream_trainer", "watch"),
                *("--recipe", str(tmp_path / "recipe.yaml"), "--base", str(base)),
                *("--publish", str(tmp_path / "published")),
                *("--data-dir", str(tmp_path / "training"), "--min-examples", "60"),
                *("--test-share", "0.3", "--validation-share", "0.1"),
                *("--least-held-out", "8", "--most-loss", "0.99"),
            ],
            log_path=tmp_path / "trainer.log",
            cwd=tmp_path,
            env=cluster.environment(),
            stop_seconds=30.0,
        )
    )
    yield process
    process.stop()


def until(address: str, condition: Callable[[], bool], *, what: str, seconds: float) -> None:
    """Wait, and tell the evidence where the time runs out."""
    try:
        wait(condition, what=what, seconds=seconds)
    except TimeoutError as exc:
        found = [
            f"{one.release}: {pb.Stage.Name(one.stage)}, {one.why}, {one.evidence.sentence}"
            for one in placed(address).values()
        ]
        raise TimeoutError("\n".join([str(exc), *found])) from exc


def placed(address: str) -> dict[str, pb.Placed]:
    with RolloutCalls(address, SecretStr("")) as calls:
        return {one.release: one for one in calls.get().releases}


def test_examples_become_a_release_and_flipped_ones_do_not(
    cluster: Cluster, trainer: ServerProcess, tmp_path: Path
) -> None:
    repository = cluster.triton.model_repository
    first = install(TINY, repository, link=True).name
    address = f"{HOST}:{free_port()}"
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(POLICY), encoding="utf-8")
    cluster.more = {
        "rollout__grpc": address,
        "rollout__repository": repository,
        "rollout__policy": tmp_path / "policy.yaml",
        "rollout__grace_s": 1,
        "triton__release": first,
    }
    cluster.work("rollout")
    wait(
        lambda: placed(address).get(first, pb.Placed()).stage == pb.STAGE_STABLE,
        what=f"{first} to be stable",
        seconds=60,
    )
    cluster.work()
    cluster.work("shadow")

    def in_stage(stage: pb.Stage) -> list[pb.Placed]:
        trainer.check()
        return [one for one in placed(address).values() if one.stage == stage]

    with Traffic(cluster), RecordPublisher(cluster.settings) as examples:
        publish(examples, drawn(80, seed=21, held_out=False), at=NOW)
        examples.flush()
        until(
            address,
            lambda: [one.release for one in in_stage(pb.STAGE_STABLE)] not in ([first], []),
            what="the trained judge to be promoted",
            seconds=90,
        )
        (second,) = in_stage(pb.STAGE_STABLE)
        assert second.evidence.decision in ("better", "not_worse")
        assert second.by == "rollout service"

        wrong = [flipped(one) for one in drawn(240, seed=22, held_out=False)]
        publish(examples, wrong, at=NOW)
        examples.flush()
        until(
            address,
            lambda: bool(in_stage(pb.STAGE_FAILED)),
            what="the judge of flipped labels to be rolled back",
            seconds=120,
        )
    (third,) = in_stage(pb.STAGE_FAILED)
    assert third.evidence.decision == "worse"
    assert [one.release for one in in_stage(pb.STAGE_STABLE)] == [second.release]
    assert placed(address)[first].stage == pb.STAGE_RETIRED
