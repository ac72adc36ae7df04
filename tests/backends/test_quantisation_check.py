"""Float8 linear layers with torch's row-wise scaled product, which runs on CPUs too, and the check of
quantised judges."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from judgestream.backends import quantisation_check
from judgestream.backends.quantisation_check import QuantisationCheck, quantise, trial_prompts
from judgestream.checkpoints.reward_scale import RewardScale
from judgestream.core.errors import ConfigurationError, PromptTooLong
from judgestream.core.prompt import Prompt
from judgestream.core.templates import JUDGELM, REWARD
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint, load
from judgestream.engine.decoder import Decoder
from judgestream.engine.float8 import Float8
from judgestream.engine.int8 import Int8
from judgestream.engine.judge import Judge, Result
from judgestream.engine.linear import Quantisation, dense, linear
from judgestream.engine.tensor_parallel import SplitDecoder
from tests.engine import tiny, tiny_reward


def test_a_weight_keeps_its_largest_entries_and_three_bits_of_the_others() -> None:
    weight = torch.randn(32, 48) * torch.logspace(-3, 3, 32)[:, None]  # rows of very unlike size
    found = Float8.of(weight)
    assert found.values.dtype == torch.float8_e4m3fn
    restored = found.values.float() * found.scales
    # e4m3 rounds to 1/16 of a value; near zero to 2^-10 of the smallest step, 448 steps below the largest
    allowed = weight.abs() / 16 + weight.abs().amax(1, keepdim=True) / 448 / 512
    assert bool(((restored - weight).abs() <= allowed * 1.001).all())


@pytest.mark.parametrize("tokens", [1, 37])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_float8_product_is_that_of_the_rounded_matrices(tokens: int, dtype: torch.dtype) -> None:
    x = torch.randn(tokens, 64).to(dtype)
    weight, bias = torch.randn(48, 64).to(dtype), torch.randn(48).to(dtype)
    eight, rounded = Float8.of(weight), Float8.of(torch.cat([x, x.new_zeros(-tokens % 16, 64)]))
    restored = (rounded.values.float() * rounded.scales)[:tokens]
    expected = restored @ (eight.values.float() * eight.scales).T + bias.float()
    tolerance = 2e-2 if dtype == torch.bfloat16 else 1e-4
    found = linear(x, eight, bias)
    assert found.dtype == dtype
    torch.testing.assert_close(found.float(), expected, atol=4 * tolerance, rtol=tolerance)
    torch.testing.assert_close(linear(x, eight[16:32]), linear(x, eight)[:, 16:32])


def test_zeros_stay_zeros() -> None:
    assert not linear(torch.zeros(2, 16), Float8.of(torch.zeros(16, 16))).any()


def test_an_unsupported_weight_shape_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="does not support a weight of 24 x 16"):
        Float8.of(torch.zeros(24, 16))


def cells(probs: dict[int, float]) -> Reply:
    joint = tuple(probs.get(at, 0.0) for at in range(9))
    return Reply(text="1 1", score_probs=joint, finish_reason="stop")


THREE = replace(tiny.PAIR, labels=("1", "2", "3"))


def test_agreement_counts_verdicts_and_score_differences() -> None:
    """A tie less sure of itself, a lose that becomes a win, an error both times.

    Cells are row-major over 1 to 3: cell 0 is "1 1", cell 1 "1 2", cell 3 "2 1", cell 8 "3 3".
    Means 1.0 and 1.0, then 1.2 and 1.0; 1.0 and 2.0, then 2.0 and 1.0; differences 0.2, 0, 1, 1.
    """
    prompts = [Prompt(text="", grammar=THREE)] * 3
    before: list[Result] = [cells({0: 1.0}), cells({1: 1.0}), PromptTooLong("long")]
    after: list[Result] = [cells({0: 0.8, 3: 0.2}), cells({3: 1.0}), PromptTooLong("long")]
    check = QuantisationCheck.of(prompts, before, after)
    assert (check.prompts, check.same) == (3, 2)
    assert check.difference == pytest.approx((0.2 + 0 + 1 + 1) / 4)
    assert check.share == pytest.approx(2 / 3)


def test_an_unreadable_reply_counts_as_a_different_verdict() -> None:
    prompts = [Prompt(text="", grammar=THREE)]
    unread, good = [cells({0: 0.1})], [cells({0: 1.0})]
    assert QuantisationCheck.of(prompts, unread, unread).share == 1.0
    assert QuantisationCheck.of(prompts, unread, good).share == 0.0


def judge_of(folder: Path, state: dict[str, torch.Tensor], shards: int = 1) -> Judge:
    checkpoint = load(folder, dtype=torch.bfloat16)
    checkpoint.model.load_state_dict(state)
    if shards > 1:
        checkpoint = replace(
            checkpoint, decoder=SplitDecoder.from_model(checkpoint.model, ["cpu"] * shards)
        )
    else:
        checkpoint = replace(checkpoint, decoder=Decoder.from_model(checkpoint.model))
    return Judge(checkpoint)


@pytest.mark.parametrize(("dtype", "form"), [("float8", Float8), ("int8", Int8)])
def test_a_judge_that_keeps_its_verdicts_is_quantised(
    folder_of: Callable[[str], Path],
    taught_of: Callable[[str], Checkpoint],
    dtype: str,
    form: type,
) -> None:
    judge = judge_of(folder_of("split"), taught_of("split").model.state_dict())
    prompts = [Prompt(text=text, grammar=tiny.PAIR) for text in tiny.PROMPTS[:2]] * 50
    found = quantise(judge, prompts, dtype)
    assert found.prompts == 100 and found.share >= 0.99
    assert all(isinstance(layer.qkv, form) for layer in judge.checkpoint.decoder.layers)
    texts = [one.text for one in judge.read(prompts[:2]) if isinstance(one, Reply)]
    assert texts == [line.split("\n", 1)[0] for line in tiny.REPLIES[:2]]


def test_a_checkpoint_that_int8_damages_is_refused(
    folder_of: Callable[[str], Path], taught_of: Callable[[str], Checkpoint]
) -> None:
    """One column of every layer's input is 2^14 times as large, its weights as much smaller: the same judge
    in floating point, while in int8 all other columns of a token round to zero."""
    factor = 2.0**14
    state = {name: part.clone() for name, part in taught_of("split").model.state_dict().items()}
    for name, part in state.items():
        if name.endswith("layernorm.weight"):
            part[0] *= factor
        elif name.endswith(tuple(f"{one}_proj.weight" for one in ("q", "k", "v", "gate", "up"))):
            part[:, 0] /= factor
    prompts = [Prompt(text=text, grammar=tiny.PAIR) for text in tiny.PROMPTS] * 20
    before = judge_of(folder_of("split"), taught_of("split").model.state_dict()).read(prompts[:5])
    judge = judge_of(folder_of("split"), state)
    texts = [
        [one.text for one in found if isinstance(one, Reply)]
        for found in (before, judge.read(prompts[:5]))
    ]
    assert texts[0] == texts[1] and len(texts[0]) == 5
    with pytest.raises(
        ConfigurationError,
        match=r"^int8: .* changes too many verdicts: \d+ of 100 verdicts are the same .*bfloat16",
    ):
        quantise(judge, prompts, "int8")


def test_a_judge_that_changes_its_verdicts_is_refused_with_the_measured_agreement(
    folder_of: Callable[[str], Path],
    taught_of: Callable[[str], Checkpoint],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Weights that are ruined on purpose stand for an arithmetic that is too coarse."""
    judge = judge_of(folder_of("split"), taught_of("split").model.state_dict())
    decoder = judge.checkpoint.decoder

    def ruined(quantisation: object) -> None:
        def turned(weight: object) -> torch.Tensor:
            assert isinstance(weight, torch.Tensor)
            return weight * -3

        decoder.layers = tuple(
            replace(layer, down_proj=turned(dense(layer.down_proj))) for layer in decoder.layers
        )

    prompts = [Prompt(text=text, grammar=tiny.PAIR) for text in tiny.PROMPTS] * 20
    monkeypatch.setattr(decoder, "quantise", ruined)
    monkeypatch.setattr(quantisation_check, "free_weights", lambda model: None)
    with pytest.raises(
        ConfigurationError, match=r"\d+ of 100 verdicts are the same .*dtype bfloat16"
    ):
        quantise(judge, prompts, "float8")


def test_a_split_judge_is_quantised_too(
    folder_of: Callable[[str], Path], taught_of: Callable[[str], Checkpoint]
) -> None:
    state = taught_of("split").model.state_dict()
    judge = judge_of(folder_of("split"), state)
    prompts = [Prompt(text=text, grammar=tiny.PAIR) for text in tiny.PROMPTS]
    split = judge_of(folder_of("split"), state)
    split.checkpoint.decoder.quantise(Float8.of)
    for one, other in zip(judge.read(prompts), split.read(prompts), strict=True):
        assert isinstance(one, Reply) and isinstance(other, Reply)
        assert one.text == other.text


def test_unreadable_replies_measure_nothing(folder_of: Callable[[str], Path]) -> None:
    """A judge that knows no scores agrees with itself in any arithmetic."""
    with pytest.raises(ConfigurationError, match="for 0 of 144 prompts, too few to measure"):
        quantise(Judge(load(folder_of("split"))), trial_prompts(JUDGELM), "float8")


def test_the_bundled_prompts_are_enough_and_all_different() -> None:
    texts = [prompt.text for prompt in trial_prompts(JUDGELM)]
    assert len(texts) == len(set(texts)) == 144


def test_prompts_may_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "prompts.jsonl"
    record = {"question": "2 + 2?", "answers": ["4", "5"], "reference": "four"}
    file.write_text(json.dumps(record) + "\n")
    (prompt,) = trial_prompts(JUDGELM, file)
    assert prompt.text == JUDGELM.forms["pair"].render("2 + 2?", ("4", "5"), "four")
    file.write_text(json.dumps(record) + '\n{"question": "2 + 2?", "answers": ["4"]}\n')
    with pytest.raises(ConfigurationError, match=r"prompts.jsonl, line 2: not a record"):
        trial_prompts(JUDGELM, file)


def values(*numbers: float) -> list[Result]:
    return [Reply(text="", score_probs=(number, 1.0)) for number in numbers]


def test_two_values_of_a_reward_model_make_one_verdict() -> None:
    """Differences 3, 0.1, -2 and 1: first, tie, second, first; then 2, 3 (a change), -2 and an error."""
    prompts = [Prompt(text="", grammar=tiny_reward.VALUE)] * 8
    before = values(3, 0, 0.1, 0, 0, 2, 1, 0)
    after = [*values(2, 0, 3, 0, 0, 2, 1), PromptTooLong("long")]
    check = QuantisationCheck.of(prompts, before, after)
    assert (check.prompts, check.same) == (4, 2)


@pytest.mark.parametrize("dtype", ["float8", "int8"])
def test_a_reward_model_is_quantised_where_it_keeps_its_verdicts(
    tmp_path: Path, dtype: str
) -> None:
    folder = tiny_reward.make(tmp_path / "checkpoint")
    prompts = trial_prompts(REWARD)
    assert len(prompts) == 2 * 144 and all(prompt.grammar.reward for prompt in prompts)
    plain, judge = (Judge(load(folder, dtype=torch.bfloat16)) for _ in range(2))
    scale = RewardScale(margin=50.0)  # so wide that the random model calls nearly all pairs ties
    judge = Judge(replace(judge.checkpoint, scale=scale))
    found = quantise(judge, prompts, dtype)
    assert found.prompts == 144 and found.share >= 0.99
    with pytest.raises(ConfigurationError, match=r"\d+ of 144 verdicts are the same"):
        quantise(Judge(ruined_by_noise(plain.checkpoint)), prompts, dtype)


def ruined_by_noise(checkpoint: Checkpoint) -> Checkpoint:
    """The checkpoint with a quantisation that changes the sign and size of every weight."""
    decoder = checkpoint.decoder
    quantise_layers = decoder.quantise

    def ruined(quantisation: Quantisation) -> None:
        quantise_layers(lambda weight: quantisation(-3 * weight))

    decoder.quantise = ruined  # type: ignore[method-assign]
    return checkpoint
