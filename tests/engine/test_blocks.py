"""Attention in blocks of queries equals its definition, for any length and any shared prefix."""

import pytest
import torch

from judgestream.engine import blocks
from judgestream.engine.blocks import QuerySpan, Segment


def compare(segments: list[Segment], columns: int, heads: int = 4, kv_heads: int = 4) -> None:
    generator = torch.Generator().manual_seed(3)
    query, key, value = (
        torch.randn(columns, count, 16, generator=generator)
        for count in (heads, kv_heads, kv_heads)
    )
    found = blocks.attend(query, key, value, segments, 0.25)
    expected = blocks.by_definition(query, key, value, segments, 0.25)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("length", [1, 2, 31, 32, 33, 63, 64, 65, 127, 128, 129, 191, 257, 300])
@pytest.mark.parametrize("kv_heads", [4, 2, 1])
def test_a_causal_span_of_any_length(length: int, kv_heads: int) -> None:
    whole = Segment(keys=((0, length),), queries=(QuerySpan(columns=(0, length), before=0),))
    compare([whole], length, kv_heads=kv_heads)


@pytest.mark.parametrize("before", [1, 63, 64, 65, 200])
@pytest.mark.parametrize("own", [1, 40, 130])
def test_a_span_with_ancestors_that_lie_apart(before: int, own: int) -> None:
    start = before + 7  # seven columns of another prompt between the two
    segment = Segment(
        keys=((0, before), (start, start + own)),
        queries=(QuerySpan(columns=(start, start + own), before=before),),
    )
    compare([segment], start + own, kv_heads=2)


def test_branches_see_their_prompt_and_their_ancestors() -> None:
    family = torch.tensor([[1, 0, 0], [0, 1, 0], [1, 0, 1]], dtype=torch.bool)
    segment = Segment(
        keys=((0, 70), (70, 73)),
        queries=(
            QuerySpan(columns=(0, 70), before=0),
            QuerySpan(columns=(70, 73), before=70, mask=family),
        ),
    )
    compare([segment], 73)


def test_a_query_may_see_its_prompt_only() -> None:
    nothing = torch.zeros((1, 0), dtype=torch.bool)
    compare(
        [Segment(keys=((0, 9),), queries=(QuerySpan(columns=(0, 1), before=9, mask=nothing),))], 9
    )


def test_the_self_test_passes_here_and_fails_beyond_the_tolerance(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert blocks.agrees(torch.float32, 4, 2, 16, 1e-4)
    assert blocks.agrees(torch.bfloat16, 4, 2, 64, 5e-2)
    assert not blocks.agrees(torch.float32, 4, 3, 16, 1e-4), "heads that do not divide"
    attend = blocks.attend
    monkeypatch.setattr(blocks, "attend", lambda *arguments: attend(*arguments) + 1e-3)
    assert not blocks.agrees(torch.float32, 4, 2, 16, 1e-4)
