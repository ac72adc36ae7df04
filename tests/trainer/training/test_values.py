"""Training of reward models: the objective by hand, and a run that learns and resumes."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, LlamaConfig, LlamaForCausalLM

from judgestream.engine.checkpoint import load_tokens
from judgestream.engine.conversation_tokens import ConversationTokens
from judgestream.engine.training_attention import sequences
from judgestream_trainer.preferences.balance import Pair
from judgestream_trainer.preferences.groups import Graded, Group
from judgestream_trainer.recipe import Recipe, recipe_from
from judgestream_trainer.training.model import ready
from judgestream_trainer.training.value_objective import ValueModel, pack_values
from judgestream_trainer.training.value_run import HEAD, fine_tune_values
from judgestream_trainer.training.value_sequences import ValueSequence, ValueStream, parts
from tests.engine.test_conversation_tokens import tokenizer

CPU = torch.device("cpu")


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A tiny LLaMA with a byte tokenizer and a chat template."""
    made = tokenizer()
    config = LlamaConfig(
        vocab_size=len(made),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=made.bos_token_id,
        eos_token_id=made.eos_token_id,
    )
    torch.manual_seed(1)
    LlamaForCausalLM(config).save_pretrained(tmp_path / "base")
    made.save_pretrained(tmp_path / "base")
    return tmp_path / "base"


def recipe(**preferences: object) -> Recipe:
    return recipe_from(
        {
            "name": "values",
            "seed": 4,
            "template": "reward-v1",
            "size": {"context": 128, "max_input": 127},
            "optimisation": {
                "steps": 30,
                "batch": 4,
                "row_tokens": 1024,
                "optimizer": "adamw",
                "other_lr": 0.01,
                "warmup": 0.1,
            },
            "lora": {"rank": 4},
            "preferences": {"answers": 3, **preferences},
            "records": {"save_every": 10},
        },
        where="test",
    )


def groups(count: int) -> list[Group]:
    """An answer is better the more exclamation marks it has."""
    return [
        Group(
            id=str(number),
            source="test",
            question=f"Shout {number}.",
            answers=tuple(Graded(text=f"hey{'!' * k}", grade=1.5 * k) for k in range(5)),
            comparable=True,
        )
        for number in range(count)
    ]


def test_values_and_losses_are_those_of_separate_forwards(base: Path) -> None:
    made = LlamaForCausalLM.from_pretrained(base)
    plain = LlamaForCausalLM.from_pretrained(base)
    model = ValueModel(ready(made), sequences)
    torch.nn.init.normal_(model.score.weight)
    ids = (tuple(range(40, 60)), tuple(range(70, 75)))
    packed = pack_values(
        [
            ValueSequence(
                ids=ids[0] + ids[1],
                lengths=(20, 5),
                pairs=(Pair(first=0, second=1, target=0.8, weight=2.0),),
                grades=(1.0, -1.0),
            )
        ],
        CPU,
    )
    with torch.no_grad():
        ends = [plain.model(torch.tensor([row])).last_hidden_state[0, -1] for row in ids]
        expected = torch.stack(ends) @ model.score.weight[0]
        values = model(packed)
        pairs, graded = model.losses(packed)
    torch.testing.assert_close(values, expected, atol=1e-5, rtol=1e-5)
    chance = torch.sigmoid(expected[0] - expected[1])
    by_hand = -2 * (0.8 * torch.log(chance) + 0.2 * torch.log(1 - chance))
    assert float(pairs) == pytest.approx(float(by_hand), abs=1e-5)
    apart = torch.nn.functional.huber_loss(expected, torch.tensor([1.0, -1.0]), reduction="sum")
    assert float(graded) == pytest.approx(float(apart), abs=1e-4)


def test_every_answer_is_visited_once_per_epoch() -> None:
    made = groups(3)
    for epoch in (0, 1):
        visits = parts(made, recipe(), epoch)
        shown = sorted((part.group.id, index) for part in visits for index in part.chosen)
        assert shown == sorted((group.id, k) for group in made for k in range(5))
        assert max(len(part.chosen) for part in visits) <= 3
    assert parts(made, recipe(), 0) != parts(made, recipe(), 1)


def test_a_long_answer_is_left_out_and_counted(base: Path) -> None:
    tokens = load_tokens(base)
    long = Group(
        id="long",
        source="test",
        question="Q",
        answers=(Graded(text="x" * 300, grade=1.0), Graded(text="y", grade=0.0)),
    )
    stream = ValueStream(
        recipe=recipe(), groups=[long], conversations=ConversationTokens(tokens=tokens)
    )
    assert stream.visits() == []
    assert stream.counts["conversation too long, answer left out"] == 1


def test_a_reward_model_learns_and_is_written_as_a_classifier(base: Path, tmp_path: Path) -> None:
    work, out = tmp_path / "work", tmp_path / "out"
    made = groups(12)
    fine_tune_values(recipe(), made[:9], development=made[9:], base=base, out=out, work=work)
    curve = [json.loads(line) for line in (work / "development.jsonl").read_text().splitlines()]
    assert [point["step"] for point in curve] == [10, 20, 30]
    assert min(point["loss"] for point in curve) < 0.6
    assert curve[-1]["accuracy"] > 0.9
    model = AutoModelForSequenceClassification.from_pretrained(out)
    assert model.config.num_labels == 1
    conversations = ConversationTokens(tokens=load_tokens(out))
    stream = ValueStream(recipe=recipe(), groups=made[9:10], conversations=conversations)
    (first, *_) = stream.visits()
    with torch.no_grad():
        hidden = model.model(torch.tensor([first.ids[: first.lengths[0]]])).last_hidden_state
    assert hidden.shape[-1] == model.score.weight.shape[-1]
    assert HEAD in dict(model.named_parameters())


def test_training_resumes_with_the_same_weights(base: Path, tmp_path: Path) -> None:
    made = groups(6)
    whole = recipe()
    fine_tune_values(
        whole, made, development=[], base=base, out=tmp_path / "once", work=tmp_path / "a"
    )

    class Stop(Exception):
        pass

    def stop(step: object) -> None:
        if getattr(step, "step", 0) == 15:
            raise Stop

    with pytest.raises(Stop):
        fine_tune_values(
            whole,
            made,
            development=[],
            base=base,
            out=tmp_path / "twice",
            work=tmp_path / "b",
            on_step=stop,
        )
    fine_tune_values(
        whole,
        made,
        development=[],
        base=base,
        out=tmp_path / "twice",
        work=tmp_path / "b",
        resume=True,
    )
    first, second = (tmp_path / name / "model.safetensors" for name in ("once", "twice"))
    assert first.read_bytes() == second.read_bytes()


def test_answers_are_compared_so_one_is_not_enough() -> None:
    with pytest.raises(Exception, match="2 or more"):
        recipe(answers=1)
    assert not replace(recipe(), preferences=replace(recipe().preferences, answers=0)).rewards
