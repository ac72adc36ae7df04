"""What a Triton request may say, and how it is told what is wrong."""

import pytest

from judgestream.backends.request_schema import DEFAULT_GRAMMAR, prompts_of
from judgestream.core.templates.base import Grammar


def test_text_alone_asks_for_the_pair_scores() -> None:
    (prompt,) = prompts_of(["d\u00e9j\u00e0".encode()])
    assert (prompt.text, prompt.grammar, prompt.max_tokens) == (
        "d\u00e9j\u00e0",
        DEFAULT_GRAMMAR,
        0,
    )


def test_every_row_has_its_own_settings() -> None:
    rows = prompts_of(
        [b"a", b"b"],
        [b'{"max_tokens": 9, "temperature": 0.0, "seed": 1}', b""],
        [b'{"labels": ["1", "2"], "count": 2}', b'{"labels": ["3", "4"], "count": 2, "lead": " "}'],
    )
    assert [row.max_tokens for row in rows] == [9, 0]
    assert rows[0].grammar == Grammar(labels=("1", "2"), count=2)
    assert rows[1].grammar == Grammar(labels=("3", "4"), count=2, lead=" ")


@pytest.mark.parametrize(
    ("sampling", "grammar", "message"),
    [
        (b"{", b"", "sampling_parameters is not JSON"),
        (b"[]", b"", "sampling_parameters must be a JSON object, not list"),
        (b'{"max_tokens": -1}', b"", "max_tokens must be 0 or more, not -1"),
        (b'{"max_tokens": "9"}', b"", "max_tokens must be 0 or more"),
        (b'{"max_tokens": true}', b"", "max_tokens must be 0 or more"),
        (b'{"temperature": 11}', b"", "temperature must be 0 to 10, not 11"),
        (b'{"temperature": "hot"}', b"", "temperature must be a number, not 'hot'"),
        (b'{"seed": -1}', b"", "seed must be a whole number from 0 up, not -1"),
        (b'{"stop": [""]}', b"", "stop must be a text or a list of texts"),
        (b'{"stop": 5}', b"", "stop must be a text or a list of texts, not 5"),
        (b'{"top_k": 3}', b"", r"unknown \['top_k'\]"),
        (b"", b"\xff", "score_grammar is not JSON"),
        (b"", b'{"count": 2}', "labels must be a list of strings"),
        (b"", b'{"labels": [1, 2], "count": 2}', "labels must be a list of strings"),
        (b"", b'{"labels": ["1"], "count": "2"}', "count must be a whole number"),
        (b"", b'{"labels": ["1"], "count": 1, "lead": 0}', "must be strings"),
    ],
)
def test_malformed_rows_name_the_field(sampling: bytes, grammar: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prompts_of([b"a"], [sampling], [grammar])


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ValueError, match="text_input is not UTF-8"):
        prompts_of([b"\xff"])


def test_rows_of_different_shapes_are_refused() -> None:
    single = b'{"labels": ["1", "2"], "count": 1}'
    pair = b'{"labels": ["1", "2"], "count": 2}'
    with pytest.raises(ValueError, match="different numbers"):
        prompts_of([b"a", b"b"], None, [single, pair])
