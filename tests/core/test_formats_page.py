"""docs/reference/formats.md says what the table of formats says, and what public sets give."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from judgestream.adapters.files.import_counts import ImportCounts
from judgestream.adapters.files.requests import Selection
from judgestream.contracts.request_format import SUBMITTED
from judgestream.core.formats.mapping import METADATA
from judgestream.core.formats.pairs import TARGETS
from judgestream.core.formats.reasons import Aside, NoLabel
from tests.paths import ROOT

PAGE = ROOT / "docs" / "reference" / "formats.md"
NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def table(heading: str) -> list[list[str]]:
    """The rows of the first table below a heading, without its head."""
    text = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows[1:]]


def test_the_table_of_formats_is_the_table_of_the_code() -> None:
    wanted = [[f"`{one.name}`", one.summary, f"{one.signature}"] for one in SUBMITTED.values()]
    assert table("Formats") == wanted


@pytest.mark.parametrize("reason", [*Aside, *NoLabel])
def test_every_reason_is_explained(reason: Aside | NoLabel) -> None:
    assert f"| `{reason}` |" in PAGE.read_text(encoding="utf-8")


def test_everything_that_may_be_mapped_is_named() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert [name for name in (*TARGETS, f"{METADATA}NAME") if f"`{name}`" not in text] == []


LARGEST = "`alpaca_eval/*.gz`"
SETS = [
    pytest.param(row, id=row[0], marks=[pytest.mark.no_cover] * (row[0] == LARGEST))
    for row in (table("Public sets") if PAGE.is_file() else [])
]


@pytest.mark.parametrize("row", SETS)
def test_a_public_set_gives_what_the_page_says(shared_data: Path, row: list[str]) -> None:
    names, join, *counts = row
    paths = [
        path for name in names.replace("`", "").split() for path in sorted(shared_data.glob(name))
    ]
    assert paths, f"no files of {names} in {shared_data}"
    understood = ImportCounts()
    for one in Selection(paths=paths, at=NOON, join=join.strip("`") or None).read():
        understood.add(one)
    assert list(_cells(understood)) == counts


def _cells(understood: ImportCounts) -> Iterator[str]:
    yield str(understood.requests.total())
    yield ", ".join(f"{name} {count}" for name, count in sorted(understood.labels.items())) or "-"
    yield ", ".join(f"{why} {count}" for why, count in sorted(understood.unlabelled.items())) or "-"
    yield ", ".join(f"{why} {count}" for why, count in sorted(understood.skipped.items())) or "-"
