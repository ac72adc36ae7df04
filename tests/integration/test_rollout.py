"""The rollout service with real servers: moves by commands, kills, damaged records, two instances."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from pydantic import SecretStr
from typer.testing import CliRunner

from judgestream.adapters.kafka.publishing import RecordPublisher
from judgestream.adapters.releases.model_repository import inspected, install
from judgestream.adapters.rollout.calls import RolloutCalls
from judgestream.adapters.rollout.errors import RolloutRefused, RolloutUnavailable
from judgestream.apps.cli import main
from judgestream.apps.rollout.serving import SERVICE
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.manifest import write_manifest
from judgestream.contracts.topics import CHECKPOINTS, ROLLOUTS
from judgestream.local.ports import free_port
from judgestream.local.process import ServerProcess
from judgestream.v1 import rollout_pb2 as pb
from tests.integration.cluster import Cluster, pairs, wait
from tests.integration.second_judge import second_judge
from tests.paths import JUDGES

pytestmark = pytest.mark.integration

TINY = JUDGES / "tiny"


class Service:
    """The rollout service of a cluster, whose Triton has the tiny judge."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.repository = cluster.triton.model_repository
        self.address = f"127.0.0.1:{free_port()}"
        self.first = install(TINY, self.repository, link=True).name

    def settings(self, address: str = "") -> dict[str, Any]:
        return {
            "rollout__grpc": address or self.address,
            "rollout__repository": self.repository,
            "triton__release": self.first,
        }

    def start(self, slot: int = 0, address: str = "") -> ServerProcess:
        return self.cluster.work("rollout", slot, **self.settings(address))

    def kill(self) -> None:
        self.cluster.kill("rollout-0")

    @contextmanager
    def calls(self, address: str = "") -> Iterator[RolloutCalls]:
        with RolloutCalls(address or self.address, SecretStr("")) as calls:
            yield calls

    def state(self) -> pb.Rollout:
        with self.calls() as calls:
            return calls.get()

    def placed(self, release: str) -> pb.Placed:
        return next((one for one in self.state().releases if one.release == release), pb.Placed())

    def await_stable(self, release: str) -> None:
        wait(
            lambda: self.placed(release).stage == pb.STAGE_STABLE,
            what=f"{release} to be stable",
            seconds=90,
        )

    def command(self, *arguments: str, code: int = 0) -> str:
        done = CliRunner().invoke(
            main, ["release", *arguments], env=self.cluster.environment(**self.settings())
        )
        assert done.exit_code == code, (arguments, done.output, done.exception)
        return str(done.output)

    def announce(self, folder: Path, digest: str) -> None:
        message = pb.Checkpoint(digest=digest, name="new", family="judgelm", location=str(folder))
        with RecordPublisher(self.cluster.settings) as publisher:
            publisher.send(
                CHECKPOINTS.name, key=digest.encode(), value=message.SerializeToString(), headers=()
            )


@pytest.fixture
def service(cluster: Cluster) -> Iterator[Service]:
    service = Service(cluster)
    before = {path.name for path in service.repository.iterdir()}
    yield service
    cluster.stop_workers()
    for path in service.repository.iterdir():
        if path.name not in before:
            shutil.rmtree(path)


def test_a_release_is_staged_shadowed_a_canary_promoted_and_rolled_back_by_commands(
    service: Service, tmp_path: Path
) -> None:
    service.start()
    service.await_stable(service.first)
    service.cluster.work("judging", **service.settings())
    second = second_judge(tmp_path / "second")
    staged = service.command("stage", str(second), "--why", "a test", "--watch")
    new = f"judgelm-{inspected(second).digest[:8]}"
    assert f"{new}: staged, ready" in staged and "loading" in staged
    assert "has no evidence yet: put it into shadow" in service.command(
        "canary", new, "--force", code=2
    )
    assert "shadow 100%" in service.command("shadow", new)
    refused = service.command("promote", new, code=2)
    assert "there is no evidence yet" in refused and "--force" in refused
    options = ("--share", "10%", "--where", "tenant=a", "--force", "--watch")
    assert "canary 10%" in service.command("canary", new, *options)
    assert dict(service.placed(new).where) == {"tenant": "a"}
    service.command("promote", new, "--force", "--why", "as agreed", "--watch")
    assert _release_of(service.cluster, "promoted") == new
    began = time.monotonic()
    assert f"{service.first} is stable" in service.command("rollback", "--watch")
    assert time.monotonic() - began < 3.0
    assert _release_of(service.cluster, "back") == service.first
    rows = {
        row["release"]: row
        for row in map(json.loads, service.command("list", "--format", "json").splitlines())
    }
    assert (rows[new]["stage"], rows[service.first]["stage"]) == ("failed", "stable")
    shown = service.command("show", new)
    assert {"(forced)", "agreed", "test"} <= set(shown.split()) and "@" in shown
    assert "the workers already use" in service.command("use", service.first)
    assert "no release" in service.command("use", "nothing-like-it", code=2)
    assert service.command("unload", new) and not _loaded(service, new)


def test_a_killed_service_continues_after_every_step(service: Service, tmp_path: Path) -> None:
    service.start()
    service.await_stable(service.first)
    second = second_judge(tmp_path / "second")
    digest = inspected(second).digest
    new = f"judgelm-{digest[:8]}"
    service.announce(second, digest)
    reached = [
        (pb.STAGE_STAGED, pb.STEP_ANNOUNCED),
        (pb.STAGE_STAGED, pb.STEP_INSTALLED),
        (pb.STAGE_STAGED, pb.STEP_LOADED),
        (pb.STAGE_STAGED, pb.STEP_READY),
        (pb.STAGE_SHADOW, pb.STEP_READY),
    ]
    for stage, step in reached:
        _await_record(service, new, stage, step)
        service.kill()
        service.start()
    wait(
        lambda: service.placed(new).stage == pb.STAGE_SHADOW,
        what="the release to be in shadow",
        seconds=60,
    )
    state = service.state()
    assert state.epoch == 1 + len(reached)
    actions = [(c.action, c.step) for c in state.changes if c.release == new]
    assert actions == [
        ("stage", pb.STEP_ANNOUNCED),
        ("prepare", pb.STEP_INSTALLED),
        ("prepare", pb.STEP_LOADED),
        ("prepare", pb.STEP_READY),
        ("shadow", pb.STEP_READY),
    ], "every step once, whatever was killed"
    for action, stage in (
        ("canary", pb.STAGE_CANARY),
        ("promote", pb.STAGE_STABLE),
        ("rollback", pb.STAGE_FAILED),
    ):
        with service.calls() as calls:
            moved = calls.move(action, release=new, by="me", force=True)
        service.kill()
        service.start()
        assert service.placed(new).stage == stage
        assert service.state().revision == moved.revision
    assert service.placed(service.first).stage == pb.STAGE_STABLE


def test_two_instances_one_leader_and_nothing_that_others_write_counts(
    service: Service, tmp_path: Path
) -> None:
    service.start()
    service.await_stable(service.first)
    other = f"127.0.0.1:{free_port()}"
    service.start(1, other)
    with service.calls(other) as follower:
        assert follower.get().releases[0].release == service.first
        with pytest.raises(RolloutUnavailable, match=service.address):
            follower.move("retire", release=service.first, by="me")
    with service.calls() as calls:
        with pytest.raises(RolloutRefused, match="promote another one"):
            calls.move("retire", release=service.first, by="me")
        with pytest.raises(RolloutRefused, match="by must name"):
            calls.move("retire", release=service.first, by="trainer")
        before = calls.get()
    _serves_health_and_reflection(other)

    damaged = second_judge(tmp_path / "damaged")
    manifest = describe(damaged)
    write_manifest(damaged, manifest)
    with (damaged / "config.json").open("a") as file:
        file.write(" ")
    with RecordPublisher(service.cluster.settings) as publisher:
        for topic in (CHECKPOINTS.name, ROLLOUTS.name):
            for value in (
                b"\xff\xff no record",
                None,
                pb.Checkpoint(digest="x").SerializeToString(),
            ):
                publisher.send(topic, key=b"default", value=value, headers=())
        stale = pb.Rollout(name="default", revision=99, epoch=before.epoch, instance="a dead one")
        publisher.send(ROLLOUTS.name, key=b"default", value=stale.SerializeToString(), headers=())
    service.announce(damaged, manifest.digest)
    bad = f"judgelm-{manifest.short}"
    wait(
        lambda: service.placed(bad).stage == pb.STAGE_FAILED,
        what="the damaged checkpoint to fail",
        seconds=30,
    )
    assert "config.json" in service.placed(bad).error
    state = service.state()
    assert state.revision < 99 and state.epoch == before.epoch
    assert service.placed(service.first).stage == pb.STAGE_STABLE

    service.kill()

    def leads() -> bool:
        with service.calls(other) as calls:
            try:
                calls.move("retire", release=bad, by="me", why="damaged")
            except RolloutUnavailable:
                return False
            return True

    wait(leads, what="the other instance to lead", seconds=20)
    with service.calls(other) as calls:
        assert calls.get().epoch == before.epoch + 1


def _serves_health_and_reflection(address: str) -> None:
    with grpc.insecure_channel(address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", SERVICE):
            answer = health.Check(health_pb2.HealthCheckRequest(service=name), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        assert SERVICE in ProtoReflectionDescriptorDatabase(channel).get_services()


def _await_record(service: Service, release: str, stage: int, step: int) -> None:
    """Wait until this state of a release is published, or a later one."""
    deadline = time.monotonic() + 60
    with service.calls() as calls:
        while time.monotonic() < deadline:
            try:
                for state in calls.watch(timeout_s=10):
                    found = [one for one in state.releases if one.release == release]
                    if found and (found[0].stage, found[0].step) >= (stage, step):
                        return
            except RolloutUnavailable:
                time.sleep(0.1)
    raise TimeoutError(f"waited 60 s for {release}")


def _release_of(cluster: Cluster, tag: str) -> str:
    """The release that judges a new request."""
    ids = cluster.submit(pairs(1, tag))
    verdicts = cluster.wait_verdicts(ids, seconds=30)
    return next(verdict.release for verdict in verdicts if verdict.request_id in ids)


def _loaded(service: Service, release: str) -> bool:
    rows = map(json.loads, service.command("list", "--format", "json").splitlines())
    return any(row["release"] == release and row["loaded"] for row in rows)
