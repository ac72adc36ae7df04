"""docs/concepts.md says which bundled template serves which mode, as the code does."""

import pytest

from judgestream.core.modes import MODES, served_by
from judgestream.core.modes.base import Mode
from judgestream.core.templates import TEMPLATES
from tests.paths import ROOT

DOCS = ROOT / "docs"
PAGE = DOCS / "concepts.md"


def rows() -> list[list[str]]:
    """The rows of the table of modes, without its head."""
    text = PAGE.read_text(encoding="utf-8").partition("\n## Modes\n")[2].partition("\n## ")[0]
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def test_the_table_names_every_mode_with_its_templates() -> None:
    wanted = [
        [
            f"`{mode.name}`",
            str(mode.candidates),
            ", ".join(f"`{one.id}`" for one in TEMPLATES.values() if mode.name in served_by(one)),
        ]
        for mode in MODES.values()
    ]
    assert [row[:3] for row in rows()] == wanted


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_page_that_a_mode_links_to_names_it(mode: Mode) -> None:
    (link,) = (row[3] for row in rows() if row[0] == f"`{mode.name}`")
    page = DOCS / link.rpartition("(")[2].rstrip(")")
    assert mode.name in page.read_text(encoding="utf-8")
