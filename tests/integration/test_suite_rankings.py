"""Suite judgerank through the real servers, and runs that are killed or answered by another release."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from math import log2
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from judgestream.apps.cli import main
from judgestream.apps.suites.run_folder import JOURNAL
from judgestream.contracts.topics import REQUESTS
from judgestream.suites.base import CLUSTER_KEY
from judgestream.terminal.exit_codes import ExitCode
from tests.integration.cluster import INSTANT, Cluster, wait
from tests.integration.worse_judge import INVERTED, inverted_judge
from tests.suites import bright
from tests.suites.folders import mt_bench

pytestmark = pytest.mark.integration

Run = Callable[..., Result]


@pytest.fixture
def run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`judgestream suite ...` against the cluster."""
    for name, value in cluster.environment(triton__release="").items():
        if name.startswith("JUDGESTREAM_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object, expect: int = 0) -> Result:
        result = CliRunner().invoke(main, ["suite", *map(str, arguments)])
        assert result.exit_code == expect, result.output
        return result

    return command


def test_documents_of_brights_format_are_ranked_alone_and_by_two_releases_together(
    cluster: Cluster, run: Run, tmp_path: Path
) -> None:
    data = bright.folder(tmp_path / "data")
    cluster.work()
    asked = ("run", "judgerank", "--data", data, "--timeout", 30, "--format", "json")
    report = json.loads(run(*asked, "--release", INSTANT, "--out", "first").stdout)
    assert report["tables"]["counts"] == [{"queries": 20, "scored": 20}]
    assert report["figures"]["ndcg_10 hybrid"]["n"] == 20
    verdicts = journal(tmp_path / "first")
    passes = 1 + 2 * bright.DEPTH  # the query, and each document twice
    assert {len(one["passes"]) for one in verdicts} == {passes}

    sent = cluster.count(REQUESTS)
    again = run(*asked, "--release", INSTANT, "--out", "first")
    assert json.loads(again.stdout)["figures"] == report["figures"]
    assert cluster.count(REQUESTS) == sent == 20, "a second run asks nothing"

    with inverted_judge(cluster.triton):
        other = json.loads(run(*asked, "--release", INVERTED, "--direct", "--out", "second").stdout)
    assert cluster.count(REQUESTS) == sent
    together = run("ensemble", "judgerank", "--data", data, "first", "second", "--format", "json")
    figures = json.loads(together.stdout)["figures"]
    assert figures[f"ndcg_10 {INSTANT}"] == report["figures"]["ndcg_10 judge"]
    assert figures[f"ndcg_10 {INVERTED}"] == other["figures"]["ndcg_10 judge"]
    # the mean of two hybrids is the hybrid of the mean; each query has one document that helps
    hybrids = [scores(tmp_path / name) for name in ("first", "second")]
    gains = []
    for query in hybrids[0]:
        mean = {
            name: hybrids[0][query][name] + hybrids[1][query][name] for name in hybrids[0][query]
        }
        order = sorted(mean, key=lambda name: (mean[name], name), reverse=True)
        (place,) = (rank for rank, name in enumerate(order, start=1) if name == f"helps{query}")
        gains.append(1 / log2(place + 1))
    assert figures["ndcg_10 ensemble hybrid"]["value"] == pytest.approx(sum(gains) / 20)
    assert figures["ndcg_10 ensemble"]["n"] == 20


def journal(folder: Path) -> list[dict[str, Any]]:
    text = (folder / JOURNAL).read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def scores(folder: Path) -> dict[str, dict[str, float]]:
    """The hybrid score of every document, by the number of its query."""
    return {
        one["metadata"][CLUSTER_KEY].removeprefix("q"): {
            score["candidateId"]: score.get("score", 0.0) for score in one["scores"]
        }
        for one in journal(folder)
    }


def test_a_killed_run_continues_and_no_other_release_gets_into_it(
    cluster: Cluster, run: Run, tmp_path: Path
) -> None:
    data = mt_bench(tmp_path / "data", models=("ann SLEEP 200", "bob SLEEP 200", "cleo SLEEP 200"))
    asked = (
        *("run", "mt-bench", "--data", data, "--out", "killed", "--timeout", 30),
        *("--release", INSTANT),
    )
    cluster.work(judging__inflight=1)
    command = [sys.executable, "-m", "judgestream.apps.cli", "suite", *map(str, asked)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        path = tmp_path / "killed" / JOURNAL

        def judged() -> int:
            return path.read_bytes().count(b"\n") if path.exists() else 0

        wait(lambda: judged() >= 3, what="three verdicts in the journal", seconds=30)
        os.kill(process.pid, signal.SIGKILL)
    before = judged()
    assert 3 <= before < 18 and process.returncode == -signal.SIGKILL
    sent = cluster.count(REQUESTS)
    rest = run(*asked, "--format", "json")
    report = json.loads(rest.stdout)
    assert report["run"]["judged"] == 18 and f"{before} in killed" in rest.stderr
    lines = journal(tmp_path / "killed")
    assert len({one["requestId"] for one in lines}) == len(lines) == 18
    assert cluster.count(REQUESTS) <= sent + 18 - before

    # the worker's release answers requests of a run of another one: none of its verdicts is taken
    begun = time.monotonic()
    with inverted_judge(cluster.triton):
        mixed = run(
            *(*asked[:4], "--out", "mixed", "--timeout", 300, "--limit", 3),
            *("--seed", 7, "--release", INVERTED),
            expect=ExitCode.TIMEOUT,
        )
    assert f"answered by {INSTANT}" in mixed.output
    assert time.monotonic() - begun < 60, "it does not wait for verdicts that cannot come"
    assert not (tmp_path / "mixed" / JOURNAL).exists()
