"""Records of any fields, mapped to a known format."""

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.mapping import mapped, parsed

RECORD = {
    "prompt": "2 + 2?",
    "messages": [{"content": "4"}, {"content": "5"}],
    "reply": {"text": "four", "a.b": 1},
    "texts": '["4", "5"]',
    "dotted.name": "kept",
}

LOOKUPS = [
    ("prompt", {"question": "2 + 2?"}),
    ("messages.0.content", {"question": "4"}),
    ("reply.text", {"question": "four"}),
    ("texts.1", {"question": "5"}),
    ("dotted.name", {"question": "kept"}),
    ("missing", {}),
    ("messages.7.content", {}),
    ("messages.-1", {}),
    ("prompt.0", {}),
    ("reply.missing.text", {}),
]


@pytest.mark.parametrize(("column", "record"), LOOKUPS)
def test_a_column_is_a_field_or_a_path_into_it(column: str, record: dict[str, object]) -> None:
    assert mapped(RECORD, {"question": column}) == record


def test_metadata_fields_are_collected() -> None:
    mapping = parsed(["question=prompt", " metadata.run = reply.text ", "metadata.x=missing"])
    assert mapped(RECORD, mapping) == {"question": "2 + 2?", "metadata": {"run": "four"}}


@pytest.mark.parametrize("entry", ["question", "=prompt", "question=", "colour=prompt"])
def test_a_malformed_entry_is_refused(entry: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^--map {entry}: "):
        parsed([entry])


def test_a_target_is_mapped_once() -> None:
    with pytest.raises(ConfigurationError, match="question is mapped twice"):
        parsed(["question=a", "question=b"])
