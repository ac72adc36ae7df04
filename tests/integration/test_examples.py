"""Every program in examples/, run as a user would, against real servers and a real training."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.cluster import Cluster, wait
from tests.paths import JUDGES, PYTHONPATH, RECIPES, ROOT

pytestmark = pytest.mark.integration

EXAMPLES = ROOT / "examples"
AGAINST_SERVERS = (
    "judge_two_answers.py",
    "rank_answers.py",
    "rank_documents.py",
    "judge_conversations.py",
    "judge_by_rubric.py",
    "judge_image_answers.py",
    "produce.py",
    "produce_plain_kafka.py",
    "label.py",
    "consume.py",
)
OFFLINE = ("train.py",)


def run(name: str, *arguments: str, environment: dict[str, str], cwd: Path) -> str:
    """An example's output. Fails the test if the example fails."""
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / name), *arguments],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{name}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout


def test_every_example_is_run_here_and_listed_in_the_readme() -> None:
    names = {path.name for path in EXAMPLES.glob("*.py")}
    assert names == {*AGAINST_SERVERS, *OFFLINE}
    readme = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_examples_publish_consume_and_label(cluster: Cluster, tmp_path: Path) -> None:
    cluster.work()
    environment = cluster.environment()
    output = {
        name: run(name, environment=environment, cwd=tmp_path) for name in AGAINST_SERVERS[:-1]
    }
    assert "winner: " in output["judge_two_answers.py"]
    ranked = output["rank_documents.py"]
    assert "judge alone: scored\n  1. " in ranked and "hybrid: scored\n  1. " in ranked
    assert all(ranked.count(name) == 2 for name in ("pigments", "roots", " red:"))
    for mode in ("multi", "tournament"):
        assert f"{mode}: winner " in output["rank_answers.py"]
    assert output["rank_answers.py"].count("\n  1. ") >= 2
    conversations = output["judge_conversations.py"]
    assert "whole: winner" in conversations and "last_turn: winner" in conversations
    rubric = output["judge_by_rubric.py"]
    assert rubric.startswith("scored, passed: ") and "  facts: " in rubric and "  tone: " in rubric
    assert rubric.splitlines()[-1].removeprefix("the judge says: ").strip()
    by_reference = output["judge_image_answers.py"]
    assert "by reference: scored\n" in by_reference and by_reference.count("alternative-") == 2
    assert output["produce.py"] == "published 3 requests\n"
    ids = {"plain-1", "labelled-1", "labelled-2", *(f"example-{k}" for k in (1, 2, 3))}
    wait(
        lambda: ids <= {verdict.request_id for verdict in cluster.verdicts()},
        what="verdicts on every example's requests",
        seconds=60,
    )
    consumed = run("consume.py", environment=environment, cwd=tmp_path)
    assert consumed.startswith(f"{len(cluster.verdicts())} verdicts, ")


def test_the_training_example_leaves_a_checkpoint(tmp_path: Path) -> None:
    recipe = RECIPES / "small-fine-tune.yaml"
    environment = {"PYTHONPATH": PYTHONPATH, "PATH": "", "HOME": str(tmp_path)}
    arguments = (str(JUDGES / "tiny"), str(recipe), str(tmp_path / "mine"))
    run("train.py", *arguments, environment=environment, cwd=tmp_path)
    assert (tmp_path / "mine" / "model.safetensors").exists()
