"""The words of code, messages and pages: no phrase of `tests/structure/english.py` in them."""

import pytest

from tests.structure.english import hits, hits_in, opening


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("'abc' is no time: say 90s", ["is no time"]),
        ("a prompt that is\n    no question", ["is no question"]),
        ("# the data\n# at hand", ["at hand"]),
        ("# all of the data at\n# hand", ["at # hand"]),
        ("there is no broker, and it is no longer there", []),
        ("how to mend it; recommend it", ["mend"]),
        ("so many rows that memory ends; so many rows", ["so many"]),
    ],
)
def test_a_phrase_is_found_over_line_ends_and_only_as_words(text: str, found: list[str]) -> None:
    assert [hit.found for hit in hits_in(text)] == found


def test_a_docstring_that_opens_with_a_question_word_is_found() -> None:
    assert [hit.found for hit in opening('"""What a release is."""')] == ["What"]
    assert [hit.found for hit in opening("# a licence\n\nr'''\nWhich one'''\n")] == ["Which"]
    assert list(opening('"""Releases, written atomically."""')) == []
    assert list(opening("import re\n'What is not a docstring'")) == []


def test_code_messages_and_pages_contain_no_forbidden_phrase() -> None:
    assert list(map(str, hits())) == []
