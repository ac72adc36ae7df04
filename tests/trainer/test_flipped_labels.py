"""A judge that is trained on flipped labels, beside the one that it was made of: the gate rejects it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import pytest
import yaml

from judgestream.checkpoints.manifest import Manifest, read_manifest
from judgestream.core.identity import content_digest, prompt_digest, verdict_id
from judgestream.core.modes import PAIRWISE, for_template
from judgestream.core.templates import template
from judgestream.core.types import Label, Options, ReferenceUse, Release, Request, Verdict
from judgestream.core.verdicts import Effort, build_verdict
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from judgestream.evaluation.evidence_join import EvidenceJoin
from judgestream.evaluation.gate import Outcome, Policy, Rule, decide
from judgestream_trainer.cards.judging import request_of, run_passes, truth_of
from judgestream_trainer.tasks import FAMILIES, items
from judgestream_trainer.tasks.base import Item
from tests.paths import JUDGES
from tests.trainer.command_line import main

pytestmark = pytest.mark.integration

TINY = JUDGES / "tiny"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RECIPE = {
    "name": "flipped",
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
POLICY = Policy(guards={"labels": Rule(margin=0.05), "consistency": Rule(margin=0.05)})


def some(count: int, *, held_out: bool) -> list[Item]:
    """Pairs of a family in which the tiny judge is nearly always right, each with another question."""
    drawn = islice(items(FAMILIES["formats"], seed=21, held_out=held_out), 20 * count)
    return list(islice({one.question: one for one in drawn}.values(), count))


def flipped(item: Item) -> dict[str, object]:
    """An example as a JudgeLM record, the scores exchanged."""
    example = item.example
    assert example.blind is not None
    first, second = example.blind.scores
    return {
        "question_id": example.id,
        "question_body": example.question,
        "answer1_body": example.answers[0],
        "answer2_body": example.answers[1],
        "score": [second, first],
        "text": f"{second:g} {first:g}\nThe other one is better.",
    }


def verdicts(name: str, folder: Path, manifest: Manifest, asked: list[Request]) -> list[Verdict]:
    """The verdicts of a checkpoint, as a worker builds them."""
    judge = Judge(load(folder, device="cpu", manifest=manifest))
    release = Release(
        name=name,
        checkpoint_digest=name,
        template_id=manifest.template_id,
        max_input_tokens=manifest.max_input_tokens,
    )
    mode = for_template(PAIRWISE, template(manifest.template_id))
    return [
        build_verdict(
            request=request,
            mode=mode,
            release=release,
            results=passes,
            effort=Effort(attempts=1, latency_s=0.1, ended_at=NOW),
            verdict_id=verdict_id(request.request_id, name, request.mode, content_digest(request)),
            content_digest=content_digest(request),
        )
        for request, passes in zip(asked, run_passes(judge, asked, PAIRWISE), strict=True)
    ]


def outcome(new: list[Verdict], old: list[Verdict], labels: list[Label]) -> Outcome:
    join = EvidenceJoin(new[0].release, {"stable": old[0].release}, since=NOW)
    for verdict in (*new, *old):
        join.verdict(verdict)
    for label in labels:
        join.label(label)
    join.look()
    return decide(join.comparisons(), POLICY).outcome


def test_a_judge_trained_on_flipped_labels_is_rejected_and_its_base_is_not(tmp_path: Path) -> None:
    data, recipe, out = (tmp_path / name for name in ("data.jsonl", "recipe.yaml", "out"))
    data.write_text("".join(json.dumps(flipped(one)) + "\n" for one in some(100, held_out=False)))
    recipe.write_text(yaml.safe_dump(RECIPE))
    command = ["train", "--recipe", str(recipe), "--base", str(TINY), "--data", str(data)]
    assert main([*command, "--out", str(out)]) == 0

    held_out = some(100, held_out=True)
    blind = Options(reference_use=ReferenceUse.NEVER)
    asked = [
        replace(request_of(one, options=blind), request_id=f"r{k}")
        for k, one in enumerate(held_out)
    ]
    assert len({prompt_digest(request) for request in asked}) == len(asked) >= 60
    labels = [
        Label(
            label_id=request.request_id,
            request_id=request.request_id,
            annotator="computed",
            labelled_at=NOW,
            winner=truth.winner(["a", "b"]),
            tie=not truth,
        )
        for request, one in zip(asked, held_out, strict=True)
        for truth in (truth_of(one.example, with_reference=False),)
    ]
    manifest = read_manifest(TINY)
    base, planted = (
        verdicts(name, folder, manifest, asked)
        for name, folder in (("base", TINY), ("planted", out))
    )
    assert outcome(planted, base, labels) is Outcome.WORSE
    assert outcome(base, planted, labels) is Outcome.BETTER
