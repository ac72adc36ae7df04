"""Every kernel equals the definition, steps are merged exactly, and no row sees another."""

import pytest
import torch
from torch import Tensor

from judgestream.engine import kernels
from judgestream.engine.attention import AttentionStep, attend, joined, plain
from judgestream.engine.kernels import KERNELS, Trial, candidates_for, choose

CPU = torch.device("cpu")
NAMES = [name for name in KERNELS if name != "cuda-varlen"]  # that one is for CUDA alone

pytestmark = pytest.mark.filterwarnings(
    "ignore:flex_attention called without torch.compile"  # as it is here: the compiled one is for CUDA
)


def states(columns: int = 90, heads: int = 4, kv_heads: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    return (
        torch.randn(columns, heads, 16, generator=generator),
        torch.randn(columns, kv_heads, 16, generator=generator),
        torch.randn(columns, kv_heads, 16, generator=generator),
    )


def masked(q: Tensor, k: Tensor, v: Tensor, seen: Tensor) -> Tensor:
    """Plain attention under one whole mask [N, K]."""
    groups = q.shape[1] // k.shape[1]
    keys, values = k.repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
    scores = torch.einsum("qhd,khd->hqk", q, keys) * 0.25
    return torch.einsum("hqk,khd->qhd", scores.masked_fill(~seen, -torch.inf).softmax(-1), values)


@pytest.mark.parametrize("name", NAMES)
def test_a_tree_of_nodes_equals_one_whole_mask(name: str) -> None:
    """Root 0..30, its children 30..50 and 50..51, a grandchild 51..70 of the second, a stranger 70..90."""
    q, k, v = states()
    own = ((0, 30), (30, 50), (50, 51), (51, 70), (70, 90))
    rounds = (
        AttentionStep(queries=own, keys=own, causal=True),
        AttentionStep(queries=own[1:4], keys=((0, 30),) * 3),
        AttentionStep(queries=own[3:4], keys=((50, 51),)),
    )
    seen = torch.zeros(90, 90, dtype=torch.bool)
    for start, stop in own:
        seen[start:stop, start:stop] = torch.ones(stop - start, stop - start).tril().bool()
    seen[30:70, 0:30] = True
    seen[51:70, 50:51] = True
    output, _ = attend(KERNELS[name], q, k, v, rounds, 0.25)
    torch.testing.assert_close(output, masked(q, k, v, seen), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_the_log_sum_exp_is_that_of_the_scores(name: str) -> None:
    q, k, v = states(heads=2)
    one = AttentionStep(queries=((3, 9),), keys=((10, 80),))
    _, lse = KERNELS[name](q, k, v, one, 0.25)
    expected = torch.einsum("qhd,khd->qhk", q[3:9], k[10:80]).mul(0.25).logsumexp(-1)
    torch.testing.assert_close(lse, expected, atol=1e-5, rtol=1e-5)


def test_queries_of_no_step_are_zero() -> None:
    q, k, v = states()
    output, lse = attend(plain, q, k, v, (AttentionStep(queries=((5, 8),), keys=((0, 4),)),), 0.25)
    assert not output[:5].any() and not output[8:].any() and output[5:8].any()
    assert lse[0, 0] == -torch.inf


def test_the_cpu_takes_its_own_kernel() -> None:
    assert choose(CPU, torch.float32, 4, 2, 16) == "cpu-segments"


def test_a_wrong_kernel_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def careless(
        q: Tensor, k: Tensor, v: Tensor, one: AttentionStep, scale: float
    ) -> tuple[Tensor, Tensor]:
        return plain(
            q, k, v, AttentionStep(queries=one.queries, keys=one.keys), scale
        )  # forgets causality

    def broken(
        q: Tensor, k: Tensor, v: Tensor, one: AttentionStep, scale: float
    ) -> tuple[Tensor, Tensor]:
        raise RuntimeError("no such operator")

    table = {"cpu-careless": careless, "cpu-broken": broken, "plain": plain}
    monkeypatch.setattr(kernels, "KERNELS", table)
    assert choose(CPU, torch.float32, 4, 2, 16) == "plain"


def test_only_kernels_for_the_device_are_tried() -> None:
    assert list(candidates_for(CPU)) == ["cpu-segments", "plain"]
    cuda = ["cuda-varlen", "cuda-flex", "cuda-sorted-padding", "plain"]
    assert list(candidates_for(torch.device("cuda"))) == cuda


def test_if_no_kernel_works_loading_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "KERNELS", {})
    with pytest.raises(RuntimeError, match="no attention kernel works on cpu"):
        choose(CPU, torch.float32, 4, 2, 16)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("heads", [(4, 4), (4, 2), (4, 1)], ids=["full", "grouped", "one key head"])
def test_every_kernel_passes_the_self_test(name: str, heads: tuple[int, int]) -> None:
    assert Trial.of(CPU, torch.float32, *heads, 16).check(KERNELS[name]) < 1e-5


SPANS = {
    "one token": ((0, 1),),
    "ones beside a long one": ((0, 1), (1, 2), (2, 300), (300, 301)),
    "longer than two blocks": ((0, 290), (290, 700)),
    "not all columns, not in order": ((400, 530), (3, 7), (100, 228)),
    "blocks of the mask exactly": ((0, 128), (128, 384), (384, 512)),
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("spans", SPANS.values(), ids=SPANS)
def test_causal_steps_equal_the_definition(name: str, spans: tuple[tuple[int, int], ...]) -> None:
    q, k, v = states(columns=700)
    one = AttentionStep(queries=spans, keys=spans, causal=True)
    found, expected = KERNELS[name](q, k, v, one, 0.25), plain(q, k, v, one, 0.25)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_full_steps_equal_the_definition(name: str) -> None:
    """Two query spans share their keys; keys of 1, 128 and 290 columns; a query of one token."""
    q, k, v = states(columns=700)
    queries = ((0, 20), (20, 40), (40, 41), (41, 300), (300, 303), (303, 306))
    keys = ((310, 600), (310, 600), (7, 8), (0, 128), (8, 136), (600, 601))
    one = AttentionStep(queries=queries, keys=keys)
    found, expected = KERNELS[name](q, k, v, one, 0.25), plain(q, k, v, one, 0.25)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_step_changes_nothing(name: str) -> None:
    q, k, v = states()
    own = AttentionStep(queries=((0, 90),), keys=((0, 90),), causal=True)
    alone = attend(KERNELS[name], q, k, v, (own,), 0.25)
    beside = attend(KERNELS[name], q, k, v, (own, AttentionStep(queries=(), keys=())), 0.25)
    torch.testing.assert_close(beside, alone, atol=0, rtol=0)
    output, lse = attend(KERNELS[name], q, k, v, (AttentionStep(queries=(), keys=()),), 0.25)
    assert not output.any() and bool((lse == -torch.inf).all())


def test_adjacent_spans_are_joined() -> None:
    assert joined(((0, 3), (3, 5), (7, 8), (8, 9), (2, 4))) == [(0, 5), (7, 9), (2, 4)]
    assert joined(()) == []
