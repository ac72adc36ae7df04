"""What holds of every suite."""

from pathlib import Path

import pytest

from judgestream.apps.suites.loading import load_files
from judgestream.core.errors import ConfigurationError
from judgestream.suites.base import Suite
from judgestream.suites.table import SUITES
from tests.paths import ROOT

HOW_TO = (ROOT / "docs" / "how-to" / "suites.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_a_suite_without_its_files_says_which_and_where_they_come_from(
    suite: Suite, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_files(suite, tmp_path)
    for one in suite.files:
        if one.required:
            assert one.pattern in str(caught.value) and one.source in str(caught.value)


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_the_page_about_suites_names_every_suite_and_its_paper(suite: Suite) -> None:
    assert f"`{suite.name}`" in HOW_TO and suite.paper.removeprefix("arXiv ") in HOW_TO


@pytest.mark.parametrize("suite", SUITES.values(), ids=SUITES)
def test_a_suite_reports_on_no_verdicts(suite: Suite) -> None:
    report = suite.report([], suite.choices)
    assert all(one.value is None for one in report.figures)
    assert suite.values([], suite.choices) == {}
