"""A decoder split over devices equals the whole one. Here all devices are the same CPU."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel

from judgestream.core.errors import ConfigurationError
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine.attention import AttentionStep, attend
from judgestream.engine.checkpoint import Checkpoint, load
from judgestream.engine.decoder import AttentionFn, Decoder
from judgestream.engine.judge import Judge
from judgestream.engine.tensor_parallel import ROWS_PER_OWNER, SplitDecoder, total
from tests.engine import tiny
from tests.engine.test_decoder import FAMILIES, alone


def made(name: str) -> PreTrainedModel:
    torch.manual_seed(2)
    model = FAMILIES[name]()
    with torch.inference_mode():
        for parameter in model.parameters():  # biases and norms too, which start as zeros and ones
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.eval()
    return model


@pytest.mark.parametrize("shards", [1, 2, 4], ids=["one", "two", "four on two key heads"])
@pytest.mark.parametrize("name", FAMILIES)
@torch.inference_mode()
def test_a_split_decoder_equals_the_whole_one(name: str, shards: int) -> None:
    whole = Decoder.from_model(made(name))
    split = SplitDecoder.from_model(made(name), ["cpu"] * shards)
    ids, positions = torch.randint(97, (150,)), torch.arange(150)
    for read in (None, torch.tensor([149])):
        expected = whole.forward(ids, positions, alone(whole, 150), read=read)
        found = split.forward(ids, positions, alone(split, 150), read=read)
        torch.testing.assert_close(
            split.logits(found), whole.logits(expected), atol=2e-4, rtol=1e-4
        )
    if shards <= whole.kv_heads:  # beyond that, key heads are held twice
        assert split.flops_per_token == whole.flops_per_token


def test_each_device_holds_its_share_and_the_model_nothing() -> None:
    model = made("llama")
    split = SplitDecoder.from_model(model, ["cpu", "cpu"])
    assert [part.heads for part in split._parts] == [2, 2]
    assert [part.kv_heads for part in split._parts] == [1, 1]
    assert [part.layers[0].gate_up.numel() for part in split._parts] == [48 * 32] * 2
    assert all(p.is_meta for n, p in model.model.layers.named_parameters() if "proj" in n)


@pytest.mark.parametrize("shards", [3, 8])
def test_heads_that_do_not_divide_are_refused(shards: int) -> None:
    with pytest.raises(
        ConfigurationError, match=f"over {shards} devices is not possible: this model has 4 heads"
    ):
        SplitDecoder.from_model(made("llama"), ["cpu"] * shards)


@pytest.mark.parametrize("rows", [1, ROWS_PER_OWNER, 3 * ROWS_PER_OWNER + 1])
def test_a_sum_over_devices_is_the_same_on_all_of_them(rows: int) -> None:
    parts = [torch.randn(rows, 8) for _ in range(3)]
    sums = total(parts)
    assert len(sums) == 3
    for one in sums:
        torch.testing.assert_close(one, parts[0] + parts[1] + parts[2], atol=0, rtol=0)


@torch.inference_mode()
def test_compiled_pieces_compute_the_same_and_serve_any_number_of_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Traced as for a GPU, but run piece by piece: making machine code takes a minute here."""

    def traced(function: Callable[..., object]) -> object:
        return torch.compile(function, backend="eager")

    monkeypatch.setattr("judgestream.engine.tensor_parallel._compile", traced)
    whole, split = (
        Decoder.from_model(made("qwen3")),
        SplitDecoder.from_model(made("qwen3"), ["cpu"], compiled=True),
    )

    def compare(rows: int) -> None:
        ids, positions = torch.randint(97, (rows,)), torch.arange(rows)
        read = torch.tensor([0, rows - 1])
        expected = whole.forward(ids, positions, every(whole, rows), read=read)
        found = split.forward(ids, positions, every(split, rows), read=read)
        torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)

    for rows in (150, 1):
        compare(rows)
    with torch.compiler.set_stance("fail_on_recompile"):
        for rows in (90, 40, 7):
            compare(rows)


def every(decoder: Decoder, rows: int) -> AttentionFn:
    """All queries see all columns."""

    def attention(n: int, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        seen = AttentionStep(queries=((0, len(q)),), keys=((0, rows),))
        return attend(decoder.kernel, q, k, v, (seen,), decoder.scale)[0]

    return attention


@pytest.fixture
def split(folder_of: Callable[[str], Path], taught_of: Callable[[str], Checkpoint]) -> Checkpoint:
    """The taught judge "split", over two devices."""
    taught = taught_of("split")
    again = load(folder_of("split"))
    again.model.load_state_dict(taught.model.state_dict())
    return replace(again, decoder=SplitDecoder.from_model(again.model, ["cpu", "cpu"]))


@pytest.mark.parametrize("temperature", [0.0, 0.8])
def test_a_split_judge_gives_the_same_replies(
    split: Checkpoint, taught_of: Callable[[str], Checkpoint], temperature: float
) -> None:
    prompts = [
        Prompt(text=text, grammar=tiny.PAIR, max_tokens=12, temperature=temperature, seed=at)
        for at, text in enumerate(tiny.PROMPTS)
    ]
    whole = Judge(taught_of("split")).read(prompts)
    for expected, found in zip(whole, Judge(split).read(prompts), strict=True):
        assert isinstance(found, Reply) and isinstance(expected, Reply)
        assert found.text == expected.text
        assert found.finish_reason == expected.finish_reason
        assert found.score_probs == pytest.approx(expected.score_probs, abs=1e-5)
