"""The state of a rollout survives its message, hostile records are refused by name, and one writer counts."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from judgestream.contracts.codecs.rollouts import Fence, rollout_from_message, rollout_to_message
from judgestream.contracts.topics import ROLLOUTS
from judgestream.core import limits
from judgestream.core.rollout.moves import MOST_KEPT, Move, apply
from judgestream.core.rollout.state import (
    MOST_CHANGES,
    Action,
    Evidence,
    Finding,
    Placed,
    Rollout,
    Stage,
    Step,
)
from judgestream.evaluation.gate import GUARDS
from judgestream.v1 import rollout_pb2 as pb

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
EVIDENCE = Evidence(
    decision="better",
    measured_at=NOON,
    sentence="s",
    findings=(
        Finding(guard="labels", baseline="old", decision="better", estimate=0.1, low=0.0, high=0.2),
        Finding(guard="latency", baseline="old", decision="undecided"),
    ),
)
FULL = apply(
    Rollout(
        revision=7,
        releases={
            "old": Placed(release="old", stage=Stage.STABLE, step=Step.READY, since=NOON),
            "new": Placed(
                release="new",
                stage=Stage.CANARY,
                step=Step.READY,
                share=0.1,
                shadow=0.5,
                where={"tenant": "a"},
                since=NOON,
                location="s3://b/new",
                checkpoint_digest="d",
                evidence=EVIDENCE,
            ),
        },
        best="old",
        adopted="old",
    ),
    Move(action=Action.PROMOTE, release="new", at=NOON, by="ops", why="why"),
)


def message(rollout: Rollout = FULL, epoch: int = 1, instance: str = "i") -> pb.Rollout:
    return rollout_to_message(rollout, epoch=epoch, instance=instance, published_at=NOON)


def test_the_state_survives_its_message() -> None:
    assert rollout_from_message(message()) == FULL


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda m: m.releases.append(m.releases[0]), "stands twice"),
        (lambda m: m.releases.append(pb.Placed()), "no name|share|stage"),
        (lambda m: setattr(m.releases[0], "share", float("nan")), "share of"),
        (lambda m: setattr(m.releases[0], "shadow", 1.5), "shadow of"),
        (lambda m: setattr(m.releases[0], "stage", 99), "stage 99 is unknown"),
        (lambda m: setattr(m.releases[0], "step", 99), "step 99 is unknown"),
        (lambda m: setattr(m.releases[0], "stage", pb.STAGE_STABLE), "several releases are stable"),
        (lambda m: setattr(m.releases[0].since, "seconds", -(10**12)), "not a time"),
        (lambda m: setattr(m, "revision", 2**64 - 1), "revision .* is too large"),
    ],
)
def test_a_malformed_record_is_refused(change: object, reason: str) -> None:
    broken = message()
    change(broken)  # type: ignore[operator]
    with pytest.raises(ValueError, match=reason):
        rollout_from_message(broken)


def test_names_that_are_not_in_the_state_are_dropped() -> None:
    odd = message()
    odd.previous.append("nobody")
    odd.best = "nobody"
    assert rollout_from_message(odd).best == ""
    assert rollout_from_message(odd).previous == FULL.previous


def test_a_writer_that_lost_its_lease_changes_nothing() -> None:
    fence, counted = Fence(), []
    for epoch, instance in [(1, "a"), (1, "a"), (2, "b"), (1, "a"), (2, "c"), (2, "b"), (3, "a")]:
        record = message(epoch=epoch, instance=instance)
        if fence.admits(record):
            fence = fence.after(record)
            counted.append((epoch, instance))
    assert counted == [(1, "a"), (1, "a"), (2, "b"), (2, "b"), (3, "a")]


def test_the_largest_state_fits_the_topic() -> None:
    """As many releases as are kept, each with two reasons of the largest size and evidence of every guard."""
    reason = "x" * limits.REASON
    findings = tuple(
        Finding(
            guard=guard, baseline=name, decision="undecided", estimate=0.1, low=0.0, high=0.2,
            margin=0.03, items=100_000, units=100_000, sentence="x" * 160,
        )
        for guard in GUARDS
        for name in ("stable", "best")
    )  # fmt: skip
    evidence = Evidence(
        decision="undecided", measured_at=NOON, sentence="x" * limits.DETAIL, findings=findings
    )
    releases = {
        f"{k:064}": Placed(
            release=f"{k:064}",
            checkpoint_digest="d" * 64,
            location="s3://" + "x" * 1000,
            stage=Stage.FAILED,
            step=Step.UNLOADED,
            since=NOON,
            by="x" * 64,
            why=reason,
            error=reason,
            evidence=evidence,
        )
        for k in range(MOST_KEPT)
    }
    change = replace(FULL.changes[-1], why=reason, by="x" * 64)
    full = Rollout(revision=9, releases=releases, changes=(change,) * MOST_CHANGES)
    assert message(full).ByteSize() < ROLLOUTS.max_message_bytes - limits.KIB
