"""A reward model's values: those of transformers' own forward, whatever the packing."""

from collections.abc import Iterator
from dataclasses import replace
from math import isfinite
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification

from judgestream.checkpoints.reward_scale import RewardScale
from judgestream.core.errors import ConfigurationError, PromptTooLong, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.templates.reward import conversation
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint, load
from judgestream.engine.conversation_tokens import ConversationTokens, Message
from judgestream.engine.judge import Judge
from tests.engine import tiny, tiny_reward


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_reward.make(tmp_path_factory.mktemp("reward") / "checkpoint")


@pytest.fixture(scope="module")
def checkpoint(folder: Path) -> Iterator[Checkpoint]:
    yield load(folder)


def values(judge: Judge, prompts: list[Prompt]) -> list[float]:
    replies = judge.read(prompts)
    assert all(isinstance(reply, Reply) for reply in replies), replies
    return [reply.score_probs[0] for reply in replies if isinstance(reply, Reply)]


@torch.inference_mode()
def by_transformers(checkpoint: Checkpoint, folder: Path, prompts: list[Prompt]) -> list[float]:
    model = AutoModelForSequenceClassification.from_pretrained(folder, dtype=torch.float32).eval()
    encoder = ConversationTokens(tokens=checkpoint.tokens)
    found = []
    for prompt in prompts:
        ids = encoder.ids([Message(role, text) for role, text in conversation(prompt.text)])
        found.append(float(model(torch.tensor([ids])).logits[0, 0]))
    return found


@pytest.mark.parametrize("name", tiny_reward.MODELS)
def test_values_equal_those_of_transformers(name: str, tmp_path: Path) -> None:
    folder = tiny_reward.make(tmp_path / "checkpoint", name)
    checkpoint = load(folder)
    prompts = tiny_reward.prompts() + tiny_reward.prompts(reference="four")
    expected = by_transformers(checkpoint, folder, prompts)
    assert max(expected) - min(expected) > 0.1
    assert values(Judge(checkpoint), prompts) == pytest.approx(expected, abs=1e-5, rel=1e-5)


def test_a_value_does_not_depend_on_its_neighbours(checkpoint: Checkpoint) -> None:
    prompts = tiny_reward.prompts() + tiny_reward.prompts("Name a colour.")
    together = values(Judge(checkpoint), prompts)
    alone = [values(Judge(checkpoint), [prompt])[0] for prompt in prompts]
    small_rows = values(Judge(checkpoint, row_tokens=64), prompts)
    assert together == pytest.approx(alone, abs=1e-5)
    assert together == pytest.approx(small_rows, abs=1e-5)


def test_answers_to_one_question_share_its_tokens(checkpoint: Checkpoint) -> None:
    judge = Judge(checkpoint)
    values(judge, tiny_reward.prompts(answers=("4", "5", "six", "seven")))
    assert judge.work.rows == 1
    assert judge.work.run_tokens < 0.6 * judge.work.prompt_tokens


def test_bf16_values_are_close(folder: Path, checkpoint: Checkpoint) -> None:
    prompts = tiny_reward.prompts()
    expected = values(Judge(checkpoint), prompts)
    found = values(Judge(load(folder, dtype=torch.bfloat16)), prompts)
    assert found == pytest.approx(expected, abs=0.05 * (max(expected) - min(expected)) + 0.1)


def test_tensor_parallelism_changes_rounding_only(folder: Path, checkpoint: Checkpoint) -> None:
    prompts = tiny_reward.prompts()
    expected = values(Judge(checkpoint), prompts)
    found = values(Judge(load(folder, others=("cpu",))), prompts)
    assert found == pytest.approx(expected, abs=1e-4)


def test_the_scale_turns_values_into_log_odds(checkpoint: Checkpoint) -> None:
    prompts = tiny_reward.prompts()
    raw = values(Judge(checkpoint), prompts)
    scaled = replace(checkpoint, scale=RewardScale(scale=2.0, margin=0.5, centre=1.0))
    for number, reply in zip(raw, Judge(scaled).read(prompts), strict=True):
        assert isinstance(reply, Reply)
        assert reply.score_probs == pytest.approx(((number - 1.0) / 2.0, 0.5))
        assert float(reply.text) == pytest.approx(number, rel=1e-4)
        assert (reply.finish_reason, reply.output_tokens) == ("stop", 0)


def test_errors_stand_in_their_places(checkpoint: Checkpoint) -> None:
    (good,) = tiny_reward.prompts(answers=("4",))
    (long,) = tiny_reward.prompts(answers=("word " * 3000,))
    line = Prompt(text=tiny.PROMPTS[0], grammar=tiny.PAIR)
    plain = Prompt(text="no document", grammar=tiny_reward.VALUE)
    half = Prompt(
        text='[{"role":"assistant","content":"\\ud800"}]',
        grammar=tiny_reward.VALUE,
    )
    found = Judge(checkpoint).read([long, good, line, plain, half, good])
    assert isinstance(found[0], PromptTooLong) and "holds 1008" in str(found[0])
    assert isinstance(found[2], RejectedByJudge) and "is a reward model" in str(found[2])
    assert isinstance(found[3], RejectedByJudge) and "is not JSON" in str(found[3])
    assert isinstance(found[4], RejectedByJudge) and "surrogate" in str(found[4])
    for reply in (found[1], found[5]):
        assert isinstance(reply, Reply) and isfinite(reply.score_probs[0])
        assert reply.input_tokens > 0


def test_a_judge_of_score_lines_refuses_a_conversation(tmp_path: Path) -> None:
    judge = Judge(load(tiny.make(tmp_path / "checkpoint", "split")))
    (found,) = judge.read(tiny_reward.prompts(answers=("4",)))
    assert isinstance(found, RejectedByJudge) and "gives no values" in str(found)


def test_an_unwanted_prompt_gets_no_reply(checkpoint: Checkpoint) -> None:
    judge = Judge(checkpoint, row_tokens=16)
    prompts = [*tiny_reward.prompts("One?", ("a",)), *tiny_reward.prompts("Two?", ("b",))]
    assert [index for index, _ in judge.stream(prompts, lambda index: index == 1)] == [1]


def test_without_a_chat_template_the_answer_follows_a_blank_line(tmp_path: Path) -> None:
    folder = tiny_reward.make(tmp_path / "checkpoint", chat="")
    checkpoint = load(folder)
    prompts = tiny_reward.prompts()
    expected = by_transformers(checkpoint, folder, prompts)
    assert values(Judge(checkpoint), prompts) == pytest.approx(expected, abs=1e-5)


def test_a_model_of_two_labels_is_refused(tmp_path: Path) -> None:
    folder = tiny_reward.make(tmp_path / "checkpoint", labels=2)
    with pytest.raises(ConfigurationError, match="num_labels is 2; a reward model has one value"):
        load(folder)
