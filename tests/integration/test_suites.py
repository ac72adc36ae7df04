"""Suites through the real servers: topics, a crash, a second run, a release that is asked directly."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from judgestream.apps.cli import main
from judgestream.apps.suites.run_folder import JOURNAL, PAGE, VALUES
from judgestream.contracts.topics import REQUESTS, VERDICTS
from judgestream.terminal.exit_codes import ExitCode
from tests.integration.cluster import INSTANT, Cluster
from tests.suites.folders import mt_bench

pytestmark = pytest.mark.integration

Run = Callable[..., Result]


@pytest.fixture
def run(cluster: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """`judgestream suite ...` against the cluster."""
    for name, value in cluster.environment().items():
        if name.startswith("JUDGESTREAM_"):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)

    def command(*arguments: object, expect: int = 0) -> Result:
        result = CliRunner().invoke(main, ["suite", *map(str, arguments)])
        assert result.exit_code == expect, result.output
        return result

    return command


def test_a_suite_runs_continues_after_a_crash_and_is_free_the_second_time(
    cluster: Cluster, run: Run, tmp_path: Path
) -> None:
    data, out = mt_bench(tmp_path / "data"), tmp_path / "out"
    asked = ("run", "mt-bench", "--data", data, "--out", out, "--format", "json")
    dry = json.loads(run(*asked, "--dry-run").stdout)
    assert (dry["requests"], dry["prompts"], dry["cost"]) == (18, 36, None)
    assert dry["input_tokens"] > 1000 and not out.exists()

    run(*asked, "--timeout", 1, expect=ExitCode.TIMEOUT)  # no worker yet: all requests are sent
    assert cluster.count(REQUESTS) == 18
    cluster.work()
    first = json.loads(run(*asked, "--timeout", 60).stdout)
    assert first["run"]["judged"] == 18 and first["run"]["release"] == INSTANT
    assert first["figures"]["human_agreement_s1"]["n"] == 3
    page = (out / PAGE).read_text(encoding="utf-8")
    assert page.count("<svg") >= 2 and "http" not in page

    sent = cluster.count(REQUESTS)
    journal = (out / JOURNAL).read_bytes()
    lines = journal.splitlines(keepends=True)
    (out / JOURNAL).write_bytes(b"".join(lines[:7]) + lines[7][:50])  # as a crash leaves it
    again = run(*asked)
    assert json.loads(again.stdout)["figures"] == first["figures"]
    assert f"18 verdicts were known: 7 in {out}, 11 on the topic" in again.stderr
    assert len((out / JOURNAL).read_bytes().splitlines()) == 18

    elsewhere = run(*asked[:4], "--out", tmp_path / "elsewhere")
    assert "0 in" in elsewhere.stderr and "18 on the topic" in elsewhere.stderr
    assert cluster.count(REQUESTS) == sent, "nothing is asked twice"

    compared = run("compare", out, tmp_path / "elsewhere", "--format", "json", expect=ExitCode.NO)
    assert json.loads(compared.stdout)["difference"] == 0.0
    assert set(json.loads((out / VALUES).read_text())["values"]) == {"81-1-ann-bob"}


def test_a_release_that_is_asked_directly_leaves_the_topics_alone(
    cluster: Cluster, run: Run, tmp_path: Path
) -> None:
    data = mt_bench(tmp_path / "data")
    asked = ("run", "mt-bench", "--data", data, "--direct", "--release", INSTANT)
    found = run(*asked, "--only", "turn=1", "--limit", 5, "--format", "json", "--out", "direct")
    report = json.loads(found.stdout)
    assert report["run"]["judged"] == 5
    assert (cluster.count(REQUESTS), cluster.count(VERDICTS)) == (0, 0)
    more = run(*asked, "--only", "turn=1", "--out", "direct")
    assert "5 verdicts were known: 5 in direct, 0 on the topic" in more.stderr
    other = run(*asked, "--seed", 1, "--out", "direct", expect=ExitCode.USAGE)
    assert "holds a run with seed 0, not 1" in other.output
    priceless = run(*asked, "--budget", 1, expect=ExitCode.USAGE)
    assert "states no prices" in priceless.output
