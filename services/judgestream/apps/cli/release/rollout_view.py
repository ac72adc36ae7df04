"""The state of a rollout, in words."""

from collections.abc import Sequence
from datetime import UTC

from judgestream.terminal.output import line, table
from judgestream.v1 import rollout_pb2 as pb


def stage_of(placed: pb.Placed) -> str:
    """`staged`, `canary 10%` and so on."""
    stage = pb.Stage.Name(placed.stage).removeprefix("STAGE_").lower()
    in_share = placed.stage in (pb.STAGE_SHADOW, pb.STAGE_CANARY)
    return f"{stage} {100 * placed.share:.3g}%" if in_share else stage


def step_of(placed: pb.Placed) -> str:
    return pb.Step.Name(placed.step).removeprefix("STEP_").lower()


def evidence_of(placed: pb.Placed) -> str:
    """The gate's decision; "-" without one."""
    return placed.evidence.decision.replace("_", " ") if placed.HasField("evidence") else "-"


def stage_facts(placed: pb.Placed | None) -> dict[str, object]:
    """The stage of a release for JSON; empty values for one that is not in the rollout."""
    if placed is None:
        return {"stage": "", "step": "", "share": 0.0, "evidence": ""}
    return {
        "stage": pb.Stage.Name(placed.stage).removeprefix("STAGE_").lower(),
        "step": step_of(placed),
        "share": placed.share,
        "evidence": placed.evidence.decision if placed.HasField("evidence") else "",
    }


def sentence(placed: pb.Placed) -> str:
    """One line on a release: its stage and step, and what happens or what went wrong."""
    what = placed.error or placed.progress
    return f"{placed.release}: {stage_of(placed)}, {step_of(placed)}" + (
        f": {what}" if what else ""
    )


def print_history(changes: Sequence[pb.Change], release: str) -> None:
    """The changes of a release, oldest first."""
    rows = [
        (
            f"{change.at.ToDatetime(UTC):%Y-%m-%d %H:%M:%S}",
            change.action,
            pb.Stage.Name(change.after).removeprefix("STAGE_").lower(),
            pb.Step.Name(change.step).removeprefix("STEP_").lower(),
            change.by,
            change.why or "-",
        )
        for change in changes
        if change.release == release
    ]
    if rows:
        line()
        table(("time (UTC)", "action", "stage", "step", "by", "why"), rows)


def print_evidence(placed: pb.Placed) -> None:
    """The gate's decision, and what each guard found."""
    if not placed.HasField("evidence"):
        return
    line()
    line(f"evidence: {evidence_of(placed)}. {placed.evidence.sentence}".rstrip())
    rows = [
        (
            one.guard,
            one.baseline,
            one.decision.replace("_", " "),
            _difference(one),
            f"{100 * one.margin:.3g}",
            str(one.units),
        )
        for one in placed.evidence.findings
    ]
    if rows:
        head = ("guard", "against", "decision", "points (interval)", "margin", "prompts")
        table(head, rows)


def _difference(one: pb.Finding) -> str:
    """The paired difference in points with its interval: above 0 the candidate is better."""
    if not one.HasField("estimate"):
        return "-"
    interval = ""
    if one.HasField("low") and one.HasField("high"):
        interval = f" ({100 * one.low:+.1f} to {100 * one.high:+.1f})"
    return f"{100 * one.estimate:+.1f}{interval}"
