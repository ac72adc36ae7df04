"""`judgestream plan`, and its page: the worked example is what the command prints."""

import json
import re

import pytest
from typer.testing import CliRunner

from judgestream.apps.cli import main
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "how-to" / "capacity.md").read_text(encoding="utf-8")


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")


def test_the_page_shows_what_the_command_prints() -> None:
    shown = re.search(r"^\$ judgestream (plan .*)\n((?:.+\n)+?)```", PAGE, re.MULTILINE)
    assert shown is not None
    done = CliRunner().invoke(main, shown[1].split())
    assert done.exit_code == 0
    assert [line.split() for line in done.output.splitlines()] == [
        line.split() for line in shown[2].splitlines()
    ]


def test_json_has_the_same_sizes() -> None:
    done = CliRunner().invoke(main, ["plan", "--requests-per-second", "100", "--format", "json"])
    sizes = json.loads(done.output)
    assert (sizes["gpus"], sizes["workers"], sizes["partitions"]) == (9, 2, 8)


def test_an_unknown_gpu_is_refused_with_those_that_are_known() -> None:
    done = CliRunner().invoke(main, ["plan", "--requests-per-second", "1", "--gpu", "v100"])
    assert done.exit_code == 2
    assert "no GPU 'v100': use a100-40, a100-80, h100-80, h200" in done.output
