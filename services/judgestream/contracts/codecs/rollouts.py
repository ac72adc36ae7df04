"""`Rollout` messages <-> the state of all releases, and the fence that makes one instance its writer."""

from dataclasses import dataclass
from datetime import datetime
from math import isfinite

from judgestream.contracts.codecs.times import moment, timestamp
from judgestream.core.rollout.state import (
    Action,
    Change,
    Evidence,
    Finding,
    Placed,
    Rollout,
    Stage,
    Step,
)
from judgestream.v1 import rollout_pb2 as pb

NAME = "default"
"""Key of the one rollout."""

LARGEST = 2**63 - 1
"""Largest epoch and offset that counts: a record beyond it, which no service writes, changes nothing."""

MOST_REVISIONS = 2**62
"""Largest revision that is read: the next ones must fit their fields, too."""

STAGES = {
    pb.STAGE_STAGED: Stage.STAGED,
    pb.STAGE_SHADOW: Stage.SHADOW,
    pb.STAGE_CANARY: Stage.CANARY,
    pb.STAGE_STABLE: Stage.STABLE,
    pb.STAGE_RETIRED: Stage.RETIRED,
    pb.STAGE_FAILED: Stage.FAILED,
}
STAGES_OUT = {stage: number for number, stage in STAGES.items()}
STEPS = {
    pb.STEP_ANNOUNCED: Step.ANNOUNCED,
    pb.STEP_INSTALLED: Step.INSTALLED,
    pb.STEP_LOADED: Step.LOADED,
    pb.STEP_READY: Step.READY,
    pb.STEP_UNLOADED: Step.UNLOADED,
}
_ACTIONS = frozenset(action.value for action in Action)
STEPS_OUT = {step: number for number, step in STEPS.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fence:
    """Which writer's records count, in the order of the topic: no coordinator is needed to decide it.

    A new writer reads the topic to its end and writes with the next epoch. From its first record on, records
    of lower epochs do not count, so that a writer that lost its lease without noticing changes nothing. Of
    two writers with one epoch, the first on the topic is the one.
    """

    epoch: int = 0
    instance: str = ""

    def admits(self, message: pb.Rollout) -> bool:
        if message.epoch > LARGEST:
            return False
        if message.epoch == self.epoch:
            return message.instance == self.instance
        return message.epoch > self.epoch

    def after(self, message: pb.Rollout) -> "Fence":
        """The fence after a record that counts."""
        return Fence(epoch=message.epoch, instance=message.instance)


def rollout_to_message(
    rollout: Rollout, *, epoch: int, instance: str, published_at: datetime
) -> pb.Rollout:
    return pb.Rollout(
        name=NAME,
        revision=rollout.revision,
        epoch=epoch,
        instance=instance,
        releases=[_placed_to_message(one) for one in rollout.releases.values()],
        previous=rollout.previous,
        best=rollout.best,
        adopted=rollout.adopted,
        changes=[_change_to_message(one) for one in rollout.changes],
        published_at=timestamp(published_at),
        next_checkpoint=rollout.next_checkpoint,
    )


def rollout_from_message(message: pb.Rollout) -> Rollout:
    """The published state. Past changes whose action only a newer version knows are left out: the state
    does not depend on them.

    Raises:
        ValueError: a stage, step or time is unknown, a share is not from 0 to 1, a name stands twice,
            several releases are stable, or the revision is too large. The message names it.
    """
    if message.revision > MOST_REVISIONS:
        raise ValueError(f"revision {message.revision} is too large: no service has written it")
    releases = {one.release: _placed_from_message(one) for one in message.releases}
    if len(releases) != len(message.releases) or "" in releases:
        raise ValueError("a release has no name, or stands twice")
    if sum(one.stage is Stage.STABLE for one in releases.values()) > 1:
        raise ValueError("several releases are stable")
    unknown = sorted({*message.previous, *filter(None, [message.best])} - releases.keys())
    return Rollout(
        revision=message.revision,
        releases=releases,
        previous=tuple(one for one in message.previous if one not in unknown),
        best=message.best if message.best not in unknown else "",
        adopted=message.adopted,
        changes=tuple(
            _change_from_message(one) for one in message.changes if one.action in _ACTIONS
        ),
        next_checkpoint=min(message.next_checkpoint, LARGEST),
    )


def _placed_to_message(placed: Placed) -> pb.Placed:
    return pb.Placed(
        release=placed.release,
        checkpoint_digest=placed.checkpoint_digest,
        location=placed.location,
        stage=STAGES_OUT[placed.stage],
        step=STEPS_OUT[placed.step],
        share=placed.share,
        shadow=placed.shadow,
        where=placed.where,
        since=timestamp(placed.since),
        by=placed.by,
        why=placed.why,
        error=placed.error,
        evidence=None if placed.evidence is None else _evidence_to_message(placed.evidence),
    )


def _placed_from_message(message: pb.Placed) -> Placed:
    for name in ("share", "shadow"):
        if not 0.0 <= getattr(message, name) <= 1.0:
            raise ValueError(f"{name} of {message.release} is {getattr(message, name)}, not 0 to 1")
    return Placed(
        release=message.release,
        checkpoint_digest=message.checkpoint_digest,
        location=message.location,
        stage=_stage(message.stage),
        step=_step(message.step),
        share=message.share,
        shadow=message.shadow,
        where=dict(message.where),
        since=moment(message.since),
        by=message.by,
        why=message.why,
        error=message.error,
        evidence=_evidence_from_message(message.evidence) if message.HasField("evidence") else None,
    )


def _change_to_message(change: Change) -> pb.Change:
    return pb.Change(
        revision=change.revision,
        at=timestamp(change.at),
        release=change.release,
        action=change.action.value,
        before=None if change.before is None else STAGES_OUT[change.before],
        after=STAGES_OUT[change.after],
        step=STEPS_OUT[change.step],
        share=change.share,
        by=change.by,
        why=change.why,
    )


def _change_from_message(message: pb.Change) -> Change:
    return Change(
        revision=message.revision,
        at=moment(message.at),
        release=message.release,
        action=Action(message.action),
        before=_stage(message.before) if message.before else None,
        after=_stage(message.after),
        step=_step(message.step),
        share=message.share,
        by=message.by,
        why=message.why,
    )


def _evidence_to_message(evidence: Evidence) -> pb.Evidence:
    return pb.Evidence(
        decision=evidence.decision,
        sentence=evidence.sentence,
        findings=[
            pb.Finding(
                guard=one.guard,
                baseline=one.baseline,
                decision=one.decision,
                estimate=one.estimate,
                low=one.low,
                high=one.high,
                margin=one.margin,
                items=one.items,
                units=one.units,
                sentence=one.sentence,
            )
            for one in evidence.findings
        ],
        measured_at=timestamp(evidence.measured_at),
    )


def _evidence_from_message(message: pb.Evidence) -> Evidence:
    return Evidence(
        decision=message.decision,
        sentence=message.sentence,
        findings=tuple(_finding(one) for one in message.findings),
        measured_at=moment(message.measured_at),
    )


def _finding(message: pb.Finding) -> Finding:
    return Finding(
        guard=message.guard,
        baseline=message.baseline,
        decision=message.decision,
        estimate=_number(message, "estimate"),
        low=_number(message, "low"),
        high=_number(message, "high"),
        margin=message.margin,
        items=message.items,
        units=message.units,
        sentence=message.sentence,
    )


def _number(message: pb.Finding, name: str) -> float | None:
    """A finite number, or None."""
    value: float = getattr(message, name)
    return value if message.HasField(name) and isfinite(value) else None


def _stage(number: pb.Stage) -> Stage:
    if number not in STAGES:
        raise ValueError(f"stage {number} is unknown: a newer version may have written it")
    return STAGES[number]


def _step(number: pb.Step) -> Step:
    if number not in STEPS:
        raise ValueError(f"step {number} is unknown: a newer version may have written it")
    return STEPS[number]
