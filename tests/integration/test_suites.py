"""Suites through the real servers: topics, a crash, a second run, a release that is asked directly."""

import asyncio
import json
import shutil
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from judgestream.adapters.triton.control import TritonControl
from judgestream.apps.cli import main
from judgestream.apps.suites.run_folder import JOURNAL, PAGE, VALUES
from judgestream.contracts.topics import REQUESTS, VERDICTS
from judgestream.terminal.exit_codes import ExitCode
from tests.integration.cluster import INSTANT, Cluster
from tests.paths import SHARED
from tests.suites.folders import mt_bench

pytestmark = pytest.mark.integration

Run = Callable[..., Result]

PHI_3 = ("--only", "turn=1", "--only", "first=phi-3-dpo", "--only", "second=phi-3")


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


def test_a_budget_stops_a_run_which_a_larger_one_continues(
    cluster: Cluster, run: Run, tmp_path: Path
) -> None:
    data = mt_bench(tmp_path / "data", models=("ann", "bob", "cleo", "dan", "eve"))
    asked = ("run", "mt-bench", "--data", data, "--release", "priced", "--direct", "--out", "paid")
    with loaded(priced(cluster.triton.model_repository), cluster):
        dry = json.loads(run(*asked, "--dry-run", "--format", "json").stdout)
        assert dry["requests"] == 60 and dry["cost"] > 0
        budget = dry["cost"] / 4
        few = run(*asked, "--budget", budget, expect=ExitCode.NO)
        assert "requests out: the same command with a larger --budget continues" in few.stderr
        lines = (tmp_path / "paid" / JOURNAL).read_text().splitlines()
        spent = sum(json.loads(line)["cost"] for line in lines)
        assert 0 < len(lines) < 60 and 0 < spent < 2 * budget
        rest = run(*asked, "--budget", 10 * dry["cost"])
        assert f"{len(lines)} verdicts were known" in rest.stderr


def priced(models: Path) -> str:
    """The instant judge at a dollar per million tokens."""
    shutil.copytree(models / INSTANT, models / "priced")
    config = models / "priced" / "config.pbtxt"
    prices = "".join(
        f'parameters {{ key: "{name}" value: {{ string_value: "1.0" }} }}\n'
        for name in ("price_in", "price_out")
    )
    text = config.read_text(encoding="utf-8").replace(f'"{INSTANT}"', '"priced"')
    config.write_text(text + prices, encoding="utf-8")
    return "priced"


@pytest.mark.parametrize(
    ("suite", "folder", "judge", "only", "expected", "failed"),
    [
        ("auto-j", "autoj", "auto-j", (), {"agreement": 54.96, "flip_consistency": 83.41}, 0),
        ("pandalm", "pandalm", "pandalm-7b", (), {"agreement": 66.77}, 0),
        # GPT-4's judgements of five of the 80 questions are not published
        ("mt-bench", "mt_bench", "gpt-4", PHI_3, {"flip_consistency": 63.01}, 5),
    ],
    ids=["auto-j", "pandalm", "mt-bench"],
)
def test_a_recorded_judge_gets_its_published_figures_through_the_pipeline(
    suite: str,
    folder: str,
    judge: str,
    only: tuple[str, ...],
    expected: dict[str, float],
    failed: int,
    cluster: Cluster,
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    data = SHARED / "data" / folder
    if not data.is_dir():
        pytest.skip(f"{data} is not there: the published data is not part of the project")
    run("recording", suite, "--data", data, "--judge", judge, "--out", "judged.jsonl")
    with installed(tmp_path / "judged.jsonl", judge, cluster) as release:
        monkeypatch.setenv("JUDGESTREAM_TRITON__RELEASE", release)
        cluster.work(triton__release=release)
        asked = ("run", suite, "--data", data, "--release", release, "--timeout", 30, *only)
        report = json.loads(run(*asked, "--format", "json").stdout)
        cluster.stop_workers()
        if suite == "pandalm":  # the recording has one order only, and the refusal says so
            both = (*asked, "--rule", "averaged", "--limit", 2, "--direct", "--out", "both")
            refused = json.loads(run(*both, "--format", "json").stdout)
            assert refused["tables"]["counts"][0]["failed"] == 2
            line = (tmp_path / "both" / JOURNAL).read_text(encoding="utf-8").splitlines()[0]
            assert "has no recorded judgement of this prompt" in line
    assert report["run"]["judged"] == report["run"]["items"]
    for name, value in expected.items():
        assert 100 * report["figures"][name]["value"] == pytest.approx(value, abs=0.006)
    assert report["tables"]["counts"][0]["failed"] == failed


@contextmanager
def installed(file: Path, name: str, cluster: Cluster) -> Iterator[str]:
    """A recorded release, installed and loaded; its full name."""
    models = cluster.triton.model_repository
    made = CliRunner().invoke(
        main,
        ["release", "recorded", str(file), name, "--repository", str(models), "--format", "json"],
    )
    assert made.exit_code == 0, made.output
    with loaded(json.loads(made.stdout)["release"], cluster) as release:
        yield release


@contextmanager
def loaded(release: str, cluster: Cluster) -> Iterator[str]:
    """Loaded for a while: other tests use the only judge that is loaded."""

    async def control(action: Callable[[TritonControl], Awaitable[object]]) -> None:
        async with TritonControl(cluster.triton.grpc_url, SecretStr("")) as triton:
            await action(triton)

    asyncio.run(control(lambda triton: triton.load(release)))
    try:
        yield release
    finally:
        asyncio.run(control(lambda triton: triton.unload(release)))
        shutil.rmtree(cluster.triton.model_repository / release)
