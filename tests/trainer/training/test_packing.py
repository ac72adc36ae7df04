"""Packing changes neither loss nor gradient: both equal those of padded rows, for every batch size."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from judgestream_trainer.training.data_order import Stream, supply
from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.loop import gradients
from judgestream_trainer.training.packing import bins, pack
from judgestream_trainer.training.sequences import TrainingSequence
from tests.trainer import small

ALONE = World(device=torch.device("cpu"))


def rows_of(count: int) -> list[TrainingSequence]:
    recipe = small.recipe(optimisation={"batch": count})
    return Stream(recipe=recipe, supply=supply(recipe, None), tokens=small.tokens()).sequences(0)


def padded_loss(
    model: LlamaForCausalLM, sequences: list[TrainingSequence], explanation_weight: float
) -> torch.Tensor:
    """The definition, in transformers' words: right-padded, masked, every logit computed."""
    longest = max(len(sequence.ids) for sequence in sequences)
    ids = torch.zeros(len(sequences), longest, dtype=torch.long)
    mask = torch.zeros_like(ids)
    weights = torch.zeros(ids.shape)
    for k, sequence in enumerate(sequences):
        ids[k, : len(sequence.ids)] = torch.tensor(sequence.ids)
        mask[k, : len(sequence.ids)] = 1
        weights[k, sequence.prompt : len(sequence.ids)] = explanation_weight
        weights[k, sequence.prompt : sequence.prompt + sequence.score_tokens] = 1
    logits = model(input_ids=ids, attention_mask=mask, use_cache=False).logits
    each = cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten(), reduction="none")
    weighed = weights[:, 1:].flatten()
    return (each * weighed).sum() / weighed.sum()


@pytest.mark.parametrize("row_tokens", [1, 150, 10_000])
def test_packed_loss_and_gradient_equal_padded(row_tokens: int) -> None:
    recipe = small.recipe(
        optimisation={"flag_weight": 0, "explanation_weight": 0.1, "row_tokens": row_tokens}
    )
    training_model = small.training_model(recipe)
    sequences = rows_of(7)
    loss = gradients(training_model, sequences, recipe.optimisation, ALONE)
    packed = {name: p.grad for name, p in training_model.model.named_parameters()}
    plain = LlamaForCausalLM(training_model.model.config)
    plain.load_state_dict(training_model.model.state_dict())
    plain.set_attn_implementation("sdpa")
    expected = padded_loss(plain, sequences, 0.1)
    expected.backward()
    assert loss == pytest.approx(expected.item(), abs=1e-5)
    for name, parameter in plain.named_parameters():
        torch.testing.assert_close(packed[name], parameter.grad, atol=1e-5, rtol=1e-4)


def test_recomputed_activations_give_the_same_gradient() -> None:
    from judgestream_trainer.training.model import recompute

    recipe = small.recipe()
    sequences = rows_of(5)
    one, other = small.training_model(recipe), small.training_model(recipe)
    other.load_state_dict(one.state_dict())
    recompute(other.model, 0.5)
    layers = other.model.model.layers
    assert [layer.gradient_checkpointing for layer in layers] == [True, False]
    assert gradients(one, sequences, recipe.optimisation, ALONE) == pytest.approx(
        gradients(other, sequences, recipe.optimisation, ALONE)
    )
    for a, b in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad)


def test_bins_hold_every_sequence_once_and_no_more_than_their_tokens() -> None:
    sequences = rows_of(12)
    filled = bins(sequences, tokens=128)
    assert sorted(sequence.ids for held in filled for sequence in held) == sorted(
        sequence.ids for sequence in sequences
    )
    assert all(
        sum(len(sequence.ids) for sequence in held) <= 128 or len(held) == 1 for held in filled
    )


def test_only_completion_tokens_are_targets_and_the_score_line_weighs_one() -> None:
    sequence = TrainingSequence(
        ids=(1, 7, 8, 4, 5, 2),
        prompt=3,
        score_tokens=2,
        wrong=(-1.0, 1.0, 0.0),
        ends=(1, 2),
        scores=(4, 5),
    )
    batch = pack([sequence, replace(sequence, ids=(1, 7, 8, 9))], explanation_weight=0.1)
    assert batch.ids.tolist() == [[1, 7, 8, 4, 5, 2, 1, 7, 8, 9]]
    assert batch.positions.tolist() == [[0, 1, 2, 3, 4, 5, 0, 1, 2, 3]]
    assert batch.at.tolist() == [2, 3, 4, 8]  # the columns before 4, 5, 2 and 9
    assert batch.targets.tolist() == [4, 5, 2, 9]
    assert batch.weights.tolist() == pytest.approx([1, 1, 0.1, 1])
    assert batch.flag_at.tolist() == [1, 2, 7, 8]
    assert batch.end_at.tolist() == [1, 2, 7, 8]
