"""docs/reference/delivery.md says what the code does."""

import pytest

from judgestream.apps.judging.published_before import REMEMBERED
from judgestream.contracts import records
from judgestream.contracts.topics import DAY_MS, TOPICS
from judgestream.core import limits
from tests.paths import ROOT

PAGE = (ROOT / "docs" / "reference" / "delivery.md").read_text(encoding="utf-8")

ROWS = {
    "a whole request record": limits.REQUEST,
    "question, each answer, reference": limits.TEXT,
    "request id, candidate id, label id": limits.ID,
    "system": limits.SYSTEM,
    "annotator": limits.ANNOTATOR,
    "mode": limits.MODE,
    "number of candidates": limits.CANDIDATES,
    "messages of one conversation": limits.TURNS,
    "messages of a discussion": limits.DISCUSSION,
    "criteria of a rubric": limits.CRITERIA,
    "metadata: entries": limits.METADATA_ENTRIES,
    "metadata: one key": limits.METADATA_KEY,
    "metadata: one value": limits.METADATA_VALUE,
    "metadata: together": limits.METADATA,
    "a reply, and the explanation, on a verdict": limits.REPLY,
    "all replies on one verdict together": limits.REPLIES,
    "an error message": limits.MESSAGE,
    "reason, detail, finish reason": limits.DETAIL,
    "an id that was refused for its length, on its failed verdict": limits.ID,
}


@pytest.mark.parametrize("part", ROWS)
def test_the_tables_of_limits_are_those_of_the_code(part: str) -> None:
    assert f"| {part} | {ROWS[part]:,} |" in PAGE


def test_the_other_limits_are_those_of_the_code() -> None:
    assert f"| `max_explanation_tokens` | 1 to {limits.EXPLANATION_TOKENS:,} |" in PAGE
    kept = (records.KEPT_VALUE >> 20, records.KEPT_HEADERS >> 10, records.KEPT_KEY >> 10)
    assert (
        "up to {} MiB, headers up to {} KiB together, and the key up to {} KiB".format(*kept)
        in PAGE
    )
    assert f"its first {records.KEPT_BEGINNING >> 10} KiB" in PAGE
    assert f"last {REMEMBERED:,} judgements" in PAGE
    assert f"outside {limits.EARLIEST.year} to {limits.LATEST.year - 1}" in PAGE


@pytest.mark.parametrize("name", TOPICS)
def test_the_table_of_topics_is_that_of_the_code(name: str) -> None:
    topic = TOPICS[name]
    retention = f"{topic.retention_ms // DAY_MS} days" if topic.retention_ms > 0 else "permanent"
    retention = "newest record of each key" if topic.cleanup == "compact" else retention
    assert f"| `{name}` | {retention} | {topic.max_message_bytes >> 20} MiB |" in PAGE
