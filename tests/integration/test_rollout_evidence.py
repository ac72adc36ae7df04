"""Evidence from real topics: a planted worse judge is found out and rolled back, by any instance."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import pytest

from judgestream.adapters.kafka.publishing import RequestPublisher
from judgestream.apps.rollout.evidence import EvidenceLoop, StepResult
from judgestream.apps.rollout.evidence_feed import EvidenceFeed
from judgestream.core.rollout.moves import Move, apply
from judgestream.core.rollout.state import Action, Rollout, Stage, Step
from judgestream.core.types import Label
from judgestream.evaluation.gate import Policy, Rule
from judgestream.v1.judging_pb2 import JudgeOptions
from tests.integration.cluster import INSTANT, Cluster, pairs
from tests.integration.worse_judge import inverted_judge

pytestmark = pytest.mark.integration

POLICY = Policy(
    guards={"labels": Rule(margin=0.05), "scored": Rule(margin=0.02)}, least_shadow_units=50
)


class Desk:
    """The state of a rollout in memory, changed by the real moves."""

    def __init__(self, state: Rollout) -> None:
        self.state = state

    async def move(self, move: Move) -> Rollout:
        self.state = apply(self.state, move)
        return self.state

    async def measured(self, release: str, evidence: object) -> None:
        placed = replace(self.state.releases[release], evidence=evidence)  # type: ignore[arg-type]
        self.state = replace(self.state, releases={**self.state.releases, release: placed})


def in_shadow(candidate: str) -> Rollout:
    rollout = Rollout()
    for release in (INSTANT, candidate):
        for action, fields in (
            (Action.STAGE, {}),
            (Action.PREPARE, {"step": Step.READY}),
            (Action.PROMOTE if release == INSTANT else Action.SHADOW, {"share": 1.0}),
        ):
            move = Move(action=action, release=release, at=datetime.now(UTC), by="test", **fields)
            rollout = apply(rollout, move)
    return rollout


def replayed(cluster: Cluster, candidate: str) -> None:
    """The verdicts of the candidate on all requests, in shadow."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "judgestream.apps.cli", "replay", "--yes", "--from", "0"),
            *("--release", candidate, "--at-once", "32"),
        ],
        env=cluster.environment(),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def labelled(cluster: Cluster, winners: Mapping[str, str]) -> None:
    """Labels by request id; "" is a tie."""
    with RequestPublisher(cluster.settings) as publisher:
        for name, winner in winners.items():
            publisher.label(
                Label(
                    label_id=f"label of {name}",
                    request_id=name,
                    annotator="ann",
                    labelled_at=datetime.now(UTC),
                    winner=winner,
                    tie=not winner,
                )
            )


def judged_by_both(cluster: Cluster, candidate: str, count: int) -> None:
    """Requests that the stable judge answers live, as the labels say, and the candidate in shadow."""
    requests = pairs(count, "shadow")
    for one in requests:
        one.options.orders = JudgeOptions.ORDERS_STRAIGHT  # this judge knows places, not answers
    names = cluster.submit(requests)
    live = cluster.wait_verdicts(names, seconds=60)
    replayed(cluster, candidate)
    labelled(cluster, {verdict.request_id: verdict.winner for verdict in live})


def loop_of(cluster: Cluster) -> EvidenceLoop:
    return EvidenceLoop(partial(EvidenceFeed, cluster.settings), POLICY, by="rollout service")


def measured(loop: EvidenceLoop, rollout: Rollout, candidate: str) -> StepResult:
    """The first step that gives evidence."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        taken = asyncio.run(loop.step(rollout))
        if candidate in taken.evidence:
            return taken
    raise TimeoutError("no evidence within 20 s")


def test_a_planted_worse_judge_is_rejected_and_rolled_back(cluster: Cluster) -> None:
    with inverted_judge(cluster.triton) as inverted:
        cluster.work(triton__release=INSTANT)
        state = in_shadow(inverted)
        judged_by_both(cluster, inverted, 300)

    loop = loop_of(cluster)
    taken = measured(loop, state, inverted)
    loop.close()
    evidence = taken.evidence[inverted]
    assert evidence.decision == "worse"
    (labels,) = (one for one in evidence.findings if one.guard == "labels")
    assert labels.items == labels.units == 300
    assert labels.high is not None
    assert labels.high < -0.5
    (move,) = taken.moves
    assert (move.action, move.release) == (Action.ROLL_BACK, inverted)
    assert "labels" in move.why

    # an instance that takes over reads the same from the topics, publishes it and acts
    desk = Desk(state)

    async def until_rolled_back() -> None:
        running = asyncio.create_task(loop_of(cluster).run(desk))
        async with asyncio.timeout(20):
            while desk.state.releases[inverted].stage is not Stage.FAILED:
                assert not running.done()
                await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(until_rolled_back())
    placed = desk.state.releases[inverted]
    assert placed.evidence is not None
    assert replace(placed.evidence, measured_at=evidence.measured_at) == evidence
    assert placed.by == "rollout service"
    assert desk.state.stable == INSTANT
