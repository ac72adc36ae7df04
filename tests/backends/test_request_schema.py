"""Triton requests parsed into prompts, and the errors that name the field."""

import pytest

from judgestream.backends.request_schema import DEFAULT_GRAMMAR, prompts_of
from judgestream.core.templates.base import Grammar


def test_text_alone_means_the_pair_scores() -> None:
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
        (b"{", b"", "sampling_parameters: Invalid JSON"),
        (b"[]", b"", "sampling_parameters: Input should be an object"),
        (b"[" * 100_000, b"", "sampling_parameters: Invalid JSON: recursion limit exceeded"),
        (
            b'{"max_tokens": -1}',
            b"",
            "max_tokens: Input should be greater than or equal to 0, not -1",
        ),
        (b'{"max_tokens": "9"}', b"", "max_tokens: Input should be a valid integer, not '9'"),
        (b'{"max_tokens": true}', b"", "max_tokens: Input should be a valid integer, not True"),
        (b'{"temperature": 11}', b"", "temperature: .* less than or equal to 10, not 11"),
        (b'{"temperature": NaN}', b"", "temperature: .* not nan"),
        (b'{"temperature": "hot"}', b"", "temperature: Input should be a valid number, not 'hot'"),
        (b'{"seed": -1}', b"", "seed: Input should be greater than or equal to 0, not -1"),
        (
            b'{"seed": 9223372036854775808}',
            b"",
            "seed: Input should be less than 9223372036854775808",
        ),
        (b'{"stop": [""]}', b"", "stop.0: String should have at least 1 character"),
        (b'{"stop": 5}', b"", "stop: Input should be a valid array, not 5"),
        (b'{"top_k": 3}', b"", "unknown field 'top_k'; known: max_tokens, stop, temperature, seed"),
        (b"", b"\xff", "score_grammar: Invalid JSON"),
        (b"", b'{"count": 2}', "score_grammar: labels is missing"),
        (b"", b'{"labels": [1, 2], "count": 2}', "labels.0: Input should be a valid string, not 1"),
        (
            b"",
            b'{"labels": ["1"], "count": "2"}',
            "count: Input should be a valid integer, not '2'",
        ),
        (b"", b'{"labels": ["1"], "count": 1, "lead": 0}', "lead: Input should be a valid string"),
    ],
)
def test_malformed_rows_name_the_field(sampling: bytes, grammar: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        prompts_of([b"a"], [sampling], [grammar])


def test_a_single_stop_text_is_a_list_of_one() -> None:
    (prompt,) = prompts_of([b"a"], [b'{"stop": "END"}'])
    assert prompt.stop == ("END",)


def test_text_that_is_not_utf_8_is_refused() -> None:
    with pytest.raises(ValueError, match="text_input is not UTF-8"):
        prompts_of([b"\xff"])


def test_rows_of_different_shapes_are_refused() -> None:
    single = b'{"labels": ["1", "2"], "count": 1}'
    pair = b'{"labels": ["1", "2"], "count": 2}'
    with pytest.raises(ValueError, match="different numbers"):
        prompts_of([b"a", b"b"], None, [single, pair])
