"""Scores from the vLLM backend's JSON: worked by hand, and from real answers, compared with our engine."""

import json
from math import exp
from typing import Any

import pytest
import torch

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.backends.label_logprobs import Step
from judgestream.backends.vllm_responses import (
    Answer,
    line_sampling,
    line_tokens,
    refusal,
    score_line,
    softened,
    steps,
)
from judgestream.checkpoints.temperature import soften
from judgestream.core.errors import JudgeUnavailable, PromptTooLong, RejectedByJudge
from judgestream.core.templates import CHAT, JUDGELM
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import load
from judgestream.engine.judge import Judge
from tests.backends.record_vllm import prompts
from tests.backends.recorded_vllm import answer_of, answers, behind, refusal_text

PAIR = JUDGELM.forms["pair"].grammar
SINGLE = JUDGELM.forms["single"].grammar


def logprobs(*written: dict[str, float]) -> bytes:
    """Natural logarithms by token text; the first of each step is the written one."""
    found = [
        {
            str(token): {"logprob": value, "rank": token + 1, "decoded_token": text}
            for token, (text, value) in enumerate(step.items())
        }
        for step in written
    ]
    return json.dumps(found).encode()


def line(raw: bytes, finish: str = "stop") -> Answer:
    return Answer(text="8 7", finish_reason=finish, input_tokens=5, output_tokens=4, logprobs=raw)


EIGHT_SEVEN = logprobs({"8": -0.5, "9": -1.5}, {" ": 0.0}, {"7": -0.25}, {"\n": -0.1, "</s>": -3.0})


def test_the_written_token_comes_first_and_equal_texts_are_added() -> None:
    raw = logprobs({"8": -1.0, "9": -2.0})
    assert steps(raw) == [Step(token="8", alternatives={"8": exp(-1), "9": exp(-2)})]
    twice = {"1": {"logprob": -1.0, "rank": 1, "decoded_token": "8"}}
    twice["2"] = {**twice["1"], "rank": 2}
    (step,) = steps(json.dumps([twice]).encode())
    assert step.alternatives == {"8": pytest.approx(2 * 0.36788, rel=1e-4)}


def test_a_line_is_the_product_of_its_positions() -> None:
    found = score_line(line(EIGHT_SEVEN), PAIR)
    assert found.probs[7 * 10 + 6] == pytest.approx(0.60653 * 0.77880, rel=1e-4)
    assert found.probs[8 * 10 + 6] == pytest.approx(0.22313 * 0.77880, rel=1e-4)
    assert (found.complete, found.continues) == (True, True)


def test_a_line_cut_by_the_token_limit_has_no_scores() -> None:
    found = score_line(line(EIGHT_SEVEN, "length"), PAIR)
    assert found.probs == (0.0,) * 100
    assert (found.complete, found.continues) == (False, False)


def test_a_reply_that_ends_with_its_line_has_no_explanation() -> None:
    raw = logprobs({"8": 0.0}, {" ": 0.0}, {"7": 0.0}, {"": 0.0})
    assert not score_line(line(raw), PAIR).continues


@pytest.mark.parametrize("raw", [b"", b"null", b"{}", b"[{}]", b'[{"1": {}}]', b'["8"]'])
def test_answers_without_logprobs_are_errors(raw: bytes) -> None:
    if raw == b"{}":  # no token was written: a line that cannot be read, no fault of the backend
        assert sum(score_line(line(raw), PAIR).probs) == 0
        return
    with pytest.raises(JudgeUnavailable, match="return_logprobs"):
        score_line(line(raw), PAIR)


def test_permanent_and_retryable_refusals_are_told_apart() -> None:
    assert refusal_text()
    assert isinstance(refusal(f"Error generating stream: {refusal_text()}"), PromptTooLong)
    text = "Error generating stream: 'NoneType' object has no attribute 'lora_name'"
    assert isinstance(refusal(text), RejectedByJudge)
    assert isinstance(
        refusal("Model is unavailable due to unhealthy vLLM engine"), JudgeUnavailable
    )


def test_a_line_may_take_a_token_for_each_character() -> None:
    assert line_tokens(PAIR) == len("10 10") + 2
    assert line_tokens(SINGLE) == len(" 10") + 2
    assert json.loads(line_sampling(CHAT.forms["pair"].grammar, 20)) == {
        "max_tokens": 7,
        "temperature": 0,
        "logprobs": 20,
        "stop": ["\n"],
    }


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_softening_equals_that_of_the_engine(temperature: float) -> None:
    probs = [0.5, 0.2, 0.1, 0.0]
    expected = soften(torch.tensor(probs, dtype=torch.float64), temperature).tolist()
    assert softened(probs, temperature) == pytest.approx(expected, abs=1e-9)
    assert softened([0.0, 0.0], temperature) == (0.0, 0.0)


@pytest.fixture(scope="module")
def own() -> list[Reply]:
    checkpoint = load(bundled_models() / "judges" / "tiny")
    replies = Judge(checkpoint, temperature=1.0).read(prompts())
    return [reply for reply in replies if isinstance(reply, Reply)]


def marginals(probs: tuple[float, ...]) -> tuple[list[float], list[float]]:
    """P(first score), and P(second score | the likeliest first one), each summing to 1."""
    rows = [probs[at : at + 10] for at in range(0, 100, 10)]
    first = [sum(row) / sum(probs) for row in rows]
    likeliest = rows[max(range(10), key=first.__getitem__)]
    return first, [p / sum(likeliest) for p in likeliest]


def behind_of(recorded: dict[str, Any]) -> dict[str, Answer]:
    """By first score: what vLLM wrote behind it."""
    start = recorded["text_input"] + PAIR.lead
    return {
        one["text_input"].removeprefix(start): answer_of(one)
        for one in behind()
        if one["text_input"].startswith(start)
    }


def outcomes(probs: tuple[float, ...]) -> list[float]:
    """P(win), P(tie), P(lose) of the answer shown first."""
    found = [0.0, 0.0, 0.0]
    for at, p in enumerate(probs):
        first, second = divmod(at, 10)
        found[(first <= second) + (first < second)] += p
    return found


def test_vllm_and_our_engine_read_the_same_scores_from_one_checkpoint(own: list[Reply]) -> None:
    """Recorded in fp32: equal prompts token for token, equal text, both scores' probabilities within 0.0005,
    outcomes within 0.01 where vLLM was asked what follows the other likely first scores; and what neither can
    read."""
    lines = [one for one in answers() if one["logprobs"] != "null"]
    assert len(lines) == len(own) == 8
    readable = 0
    for recorded, reply in zip(lines, own, strict=True):
        answer = answer_of(recorded)
        found = score_line(answer, PAIR, behind_of(recorded))
        assert (answer.input_tokens, found.text) == (reply.input_tokens, reply.text)
        if sum(reply.score_probs) < 0.95:
            assert sum(found.probs) < 0.95
            continue
        readable += 1
        for theirs, ours in zip(marginals(found.probs), marginals(reply.score_probs), strict=True):
            assert theirs == pytest.approx(ours, abs=5e-4)
        both = [outcomes(found.probs), outcomes(reply.score_probs)]
        assert both[0].index(max(both[0])) == both[1].index(max(both[1]))
        assert both[0] == pytest.approx(both[1], abs=0.01)
    assert readable >= 4


def test_the_recording_matches_the_present_requests() -> None:
    wanted: list[dict[str, Any]] = [one for one in answers() if one["logprobs"] != "null"]
    assert [one["text_input"] for one in wanted] == [prompt.text for prompt in prompts()]
    assert {one["sampling_parameters"] for one in wanted} == {line_sampling(PAIR, 20)}
