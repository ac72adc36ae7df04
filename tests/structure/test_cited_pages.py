"""Pages that code, tests and documentation cite exist."""

import re
from pathlib import Path

import pytest

from tests.paths import ROOT

CITED = re.compile(r"\bdocs/[\w/-]+\.md\b")
FOLDERS = ("services", "trainer", "triton_models", "tests", "protos", "examples", "docs")
SUFFIXES = {".py", ".md", ".proto", ".yaml", ".pbtxt"}
FILES = [path for path in ROOT.glob("*.md")] + [
    path
    for folder in FOLDERS
    for path in sorted((ROOT / folder).rglob("*"))
    if path.suffix in SUFFIXES and path != Path(__file__).resolve()
]


def missing(text: str) -> list[str]:
    return [page for page in CITED.findall(text) if not (ROOT / page).is_file()]


def test_every_cited_page_exists() -> None:
    wrong = {
        str(path.relative_to(ROOT)): pages
        for path in FILES
        if (pages := missing(path.read_text(encoding="utf-8")))
    }
    assert wrong == {}


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        ("see docs/concepts.md", []),
        ("docs/nowhere.md", ["docs/nowhere.md"]),
    ],
)
def test_a_missing_page_would_be_found(text: str, pages: list[str]) -> None:
    assert missing(text) == pages
