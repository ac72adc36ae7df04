"""`release endpoint`, `jury` and `budget` without a running stack: what they print, write and refuse."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from judgestream.adapters.releases.parameters import kept_terms, parameters_of
from judgestream.apps.cli import main
from judgestream.backends.chat.request_options import RequestOptions
from judgestream.core.costs import Budget, Prices, Terms
from judgestream.core.jury import JuryRecord, JuryRule
from tests.backends.chat.endpoint import Sent, completion, serving

KEY = "ENDPOINT_TEST_KEY"
SECRET = "geheim-0815"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository of a stack that does not run, with no server anywhere."""
    monkeypatch.setenv("JUDGESTREAM_LOCAL__DATA", str(tmp_path))
    monkeypatch.setenv("JUDGESTREAM_TRITON__GRPC", "127.0.0.1:1")
    monkeypatch.setenv("JUDGESTREAM_REDIS__URL", "redis://127.0.0.1:1/0")
    return tmp_path / "models"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["release", *arguments])


def name_of(done: Result) -> str:
    assert done.exit_code == 0, done.output
    rows = [json.loads(text) for text in done.stdout.splitlines() if text.startswith("{")]
    (row,) = rows
    return str(row["release"])


def fixed_temperature(body: dict[str, Any]) -> Sent:
    if "temperature" in body:
        error = {"param": "temperature", "message": f"no temperature, {SECRET}"}
        return 400, {}, {"error": error}
    return 200, {}, completion([("10", {"10": 1.0}), (" ", {" ": 1.0}), ("1", {"1": 1.0})])


def test_an_endpoint_is_asked_what_it_accepts(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(KEY, SECRET)
    with serving(fixed_temperature) as server:
        command = ("endpoint", server.url, "m", "--key-variable", KEY, "--price-in", "2")
        done = run(*command, "--budget-per-day", "1", "--format", "json")
        kept = run(*command[:3], "--temperature", "--key-variable", KEY)
    folder = models / name_of(done)
    stated = parameters_of(folder)
    assert RequestOptions.of_json(stated["request_options"]) == RequestOptions(temperature=False)
    assert kept_terms(folder) == Terms(
        prices=Prices(per_million_in=2.0), budget=Budget(per_day=1.0)
    )
    for words in ("refused (400: no temperature, [the key])", "no temperature", "'10 1'", "321"):
        assert words in done.stderr
    assert server.keys[0] == f"Bearer {SECRET}" and SECRET not in done.output
    assert kept.exit_code == 2 and "no temperature" in kept.output
    assert len(list(models.iterdir())) == 1, "a refused choice installs nothing"


def test_without_its_key_or_without_counts_nothing_is_installed(models: Path) -> None:
    done = run("endpoint", "http://127.0.0.1:1/v1", "m", "--key-variable", KEY)
    assert done.exit_code and KEY in done.output
    uncounted = {"choices": [{"message": {"content": "10 1"}}]}
    with serving(lambda body: (200, {}, uncounted)) as server:
        done = run("endpoint", server.url, "m", "--price-in", "1", "--budget-total", "5")
    assert done.exit_code and "no token counts" in done.output
    assert not models.exists()


def test_a_budget_is_shown_and_changed(models: Path) -> None:
    done = run("endpoint", "http://h/v1", "m", "--no-probe", "--price-out", "4", "--format", "json")
    name = name_of(done)
    done = run("budget", name, "--budget-total", "12.5")
    assert done.exit_code == 0, done.output
    assert "$4.00 out per million tokens" in done.stdout
    assert "in total: an unknown amount of $12.50" in done.stdout
    assert kept_terms(models / name).budget == Budget(total=12.5)
    done = run("budget", name, "--price-out", "0")
    assert done.exit_code and "a budget needs prices" in done.output


def test_a_jury_is_made_of_installed_releases(models: Path) -> None:
    first, second = (
        name_of(run("endpoint", "http://h/v1", model, "--no-probe", "--format", "json"))
        for model in ("a", "b")
    )
    members = ("--members", f"{first},{second}")
    done = run("jury", "panel", *members, "--format", "json")
    record = JuryRecord.of(parameters_of(models / name_of(done)))
    assert [one.release for one in record.members] == [first, second] and record.quorum == 2
    weighted = ("jury", "panel", *members, "--rule", "weighted", "--weight", f"{first}=.7")
    done = run(*weighted)
    assert done.exit_code and f"add --weight for {second}" in done.output
    done = run(*weighted, "--weight", f"{second}=.5", "--quorum", "1", "--format", "json")
    record = JuryRecord.of(parameters_of(models / name_of(done)))
    assert [one.weight for one in record.members] == [0.7, 0.5] and record.quorum == 1
    for wrong in ("x", f"{first}=much", "nobody=1"):
        assert run(*weighted, "--weight", wrong).exit_code
    cascade = ("jury", "steps", *members, "--rule", "cascade")
    done = run(*cascade)
    assert done.exit_code and "--below" in done.output
    steps = name_of(run(*cascade, "--below", ".8", "--format", "json"))
    record = JuryRecord.of(parameters_of(models / steps))
    assert (record.below, record.then, record.quorum) == (0.8, None, 1)
    assert (shown(steps)["below"], shown(steps)["then"]) == (0.8, "")
    vote = name_of(run(*cascade, "--below", ".8", "--then", "mean", "--format", "json"))
    record = JuryRecord.of(parameters_of(models / vote))
    assert (record.then, record.quorum) == (JuryRule.MEAN, 2)
    done = run("budget", name_of(run("jury", "panel", *members, "--format", "json")))
    assert done.exit_code and "is a jury" in done.output


def shown(name: str) -> dict[str, Any]:
    done = run("show", name, "--format", "json")
    assert done.exit_code == 0, done.output
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def test_a_release_is_shown_with_all_that_decides_how_it_judges(models: Path) -> None:
    command = ("endpoint", "http://h/v1", "m", "--no-probe", "--template", "chat-choice-v1")
    prices = ("--price-in", "3", "--budget-total", "20")
    endpoint = name_of(run(*command, *prices, "--format", "json"))
    facts = shown(endpoint)
    assert (facts["template_id"], facts["template_file"]) == ("chat-choice-v1", False)
    assert (facts["endpoint"], facts["endpoint_model"]) == ("http://h/v1", "m")
    assert (facts["price_per_million_in"], facts["budget_total"]) == (3.0, 20.0)
    assert "rubric" in facts["modes"] and "multi" not in facts["modes"]
    assert (facts["members"], facts["reward_scale"]) == ({}, {})
    text = run("show", endpoint).stdout
    assert "budget total:          20\n" in text and "reward scale" not in text

    other = name_of(run(*command[:2], "n", "--no-probe", "--format", "json"))
    weights = ("--weight", f"{endpoint}=.7", "--weight", f"{other}=.5")
    members = ("--members", f"{endpoint},{other}", "--rule", "weighted")
    jury = name_of(run("jury", "panel", *members, *weights, "--format", "json"))
    facts = shown(jury)
    assert (facts["rule"], facts["quorum"]) == ("weighted", 2)
    assert "rubric" in facts["modes"] and "multi" not in facts["modes"]
    assert facts["members"] == {endpoint: 0.7, other: 0.5}
    assert f"{endpoint} 0.7, {other} 0.5" in run("show", jury).stdout
    done = run("show", "nobody")
    assert done.exit_code == 2 and endpoint in done.output
