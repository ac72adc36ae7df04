"""A judge that sees images, against transformers' own processor and one forward per score line."""

from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from itertools import product
from pathlib import Path

import pytest
import torch
from PIL import Image
from transformers import LlavaProcessor

from judgestream.backends.vision import judge as vision_judge
from judgestream.backends.vision.checkpoint import VisionCheckpoint
from judgestream.backends.vision.judge import Job, VisionJudge
from judgestream.core.errors import PromptTooLong, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.templates import JUDGELM
from judgestream.core.templates.base import Grammar, ImageCounts
from judgestream.core.templates.vision import LLAVA
from judgestream.core.types import Reply
from tests.backends.vision import tiny

PROMPTS = [prompt for prompt, _ in tiny.LESSONS]
TEXT = Prompt(
    text=LLAVA.forms["pair"].render("2 + 2?", ("4", "5"), None),
    grammar=LLAVA.forms["pair"].grammar,
)


def own_inputs(folder: Path, prompt: Prompt) -> dict[str, torch.Tensor]:
    """What transformers' processor makes of a prompt."""
    processor = LlavaProcessor.from_pretrained(folder, local_files_only=True)
    pictures = [Image.open(BytesIO(data)).convert("RGB") for data in prompt.images]
    inputs: dict[str, torch.Tensor] = processor(
        text=[prompt.text], images=pictures, return_tensors="pt"
    )
    return {name: inputs[name] for name in ("input_ids", "pixel_values")}


@pytest.mark.parametrize("prompt", PROMPTS, ids=range(len(PROMPTS)))
def test_tokens_and_pixels_are_those_of_transformers(
    folder: Path, random_judge: VisionJudge, prompt: Prompt
) -> None:
    job = random_judge.admitted(0, prompt)
    assert isinstance(job, Job)
    own = own_inputs(folder, prompt)
    assert job.ids == own["input_ids"][0].tolist()
    assert job.pixels is not None
    torch.testing.assert_close(job.pixels, own["pixel_values"])


def brute_joint(checkpoint: VisionCheckpoint, folder: Path, prompt: Prompt) -> list[float]:
    """P(line) for every line, each by a separate forward: the tokens, then a newline or the end."""
    own, tokens, grammar = own_inputs(folder, prompt), checkpoint.tokens, prompt.grammar
    lines = [
        tokens.continuation(prompt.text, grammar.lead + " ".join(labels))
        for labels in product(grammar.labels, repeat=grammar.count)
    ]
    prefixes = {tuple(line[:cut]) for line in lines for cut in range(len(line))}
    probabilities = []
    for line in lines:
        ids = torch.cat((own["input_ids"][0], torch.tensor(line)))[None]
        with torch.inference_mode():
            logits = checkpoint.model(input_ids=ids, pixel_values=own["pixel_values"]).logits[0]
        logs = logits[-len(line) - 1 :].double().log_softmax(-1)
        total = sum(float(logs[k, token]) for k, token in enumerate(line))
        if tuple(line) in prefixes:
            total += float(logs[len(line), sorted(tokens.ends)].logsumexp(-1))
        probabilities.append(float(torch.tensor(total).exp()))
    return probabilities


@pytest.mark.parametrize("number", range(len(PROMPTS)))
def test_the_joint_distribution_is_that_of_separate_forwards(
    folder: Path, taught: VisionCheckpoint, number: int
) -> None:
    (reply,) = VisionJudge(taught).read([PROMPTS[number]])
    assert isinstance(reply, Reply)
    assert reply.score_probs == pytest.approx(
        brute_joint(taught, folder, PROMPTS[number]), abs=2e-6
    )


def test_the_verdict_depends_on_the_images(taught: VisionCheckpoint) -> None:
    texts = [reply.text for reply in VisionJudge(taught).read(PROMPTS) if isinstance(reply, Reply)]
    assert texts == [" 9 2", " 2 9", " 10", " 1"]


def test_a_reply_does_not_depend_on_the_rest_of_the_batch(taught: VisionCheckpoint) -> None:
    judge = VisionJudge(taught)
    together = judge.read([*PROMPTS, TEXT, *PROMPTS[::-1]])
    for prompt, reply in zip([*PROMPTS, TEXT, *PROMPTS[::-1]], together, strict=True):
        (alone,) = judge.read([prompt])
        assert isinstance(reply, Reply) and isinstance(alone, Reply)
        assert reply.score_probs == pytest.approx(alone.score_probs, abs=1e-5)
        assert reply.text == alone.text


def test_a_small_budget_makes_more_batches_and_the_same_replies(
    taught: VisionCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide, narrow = VisionJudge(taught), VisionJudge(taught)
    expected = [reply.text for reply in wide.read(PROMPTS) if isinstance(reply, Reply)]
    monkeypatch.setattr(vision_judge, "BATCH_COLUMNS", 1)
    found = [reply.text for reply in narrow.read(PROMPTS) if isinstance(reply, Reply)]
    assert found == expected
    assert (wide.work.rows, narrow.work.rows) == (2, 4)
    assert (wide.work.prompts, narrow.work.prompts) == (4, 4)


def test_an_explanation_follows_the_scores(taught: VisionCheckpoint) -> None:
    judge = VisionJudge(taught)
    short, long = replace(PROMPTS[0], max_tokens=3), replace(PROMPTS[0], max_tokens=40)
    stopped = replace(long, stop=(" is",))
    replies = judge.read([short, long, stopped])
    assert all(isinstance(reply, Reply) for reply in replies)
    texts = [(reply.text, reply.finish_reason) for reply in replies if isinstance(reply, Reply)]
    assert texts[1] == (" 9 2\nThe first is red.", "stop")
    assert texts[2] == (" 9 2\nThe first", "stop")
    assert texts[1][0].startswith(texts[0][0]) and texts[0][1] == "length"
    (bare,) = judge.read([PROMPTS[0]])
    assert isinstance(bare, Reply) and isinstance(replies[1], Reply)
    assert replies[1].score_probs == pytest.approx(bare.score_probs, abs=1e-5)


def test_text_outside_the_grammar_is_written_out(random_judge: VisionJudge) -> None:
    (reply,) = random_judge.read([PROMPTS[0]])
    assert isinstance(reply, Reply)
    assert sum(reply.score_probs) < 0.1
    assert reply.text and "\n" not in reply.text


def test_sampling_follows_its_seed(random_judge: VisionJudge) -> None:
    def text(seed: int) -> str:
        prompt = replace(PROMPTS[0], max_tokens=12, temperature=1.0, seed=seed)
        (reply,) = random_judge.read([prompt])
        assert isinstance(reply, Reply)
        return reply.text

    assert text(1) == text(1)
    assert len({text(seed) for seed in range(5)}) > 1


def test_prompts_that_nobody_waits_for_get_no_reply(taught: VisionCheckpoint) -> None:
    judge = VisionJudge(taught)
    assert dict(judge.stream(PROMPTS, lambda index: False)) == {}
    assert judge.work.rows == 0
    explained = [replace(PROMPTS[0], max_tokens=30)]
    answers = iter([True, False, False])
    assert dict(judge.stream(explained, lambda index: next(answers, False))) == {}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: replace(p, images=()), "0 images for 2 placeholders"),
        (lambda p: replace(p, images=(*p.images, tiny.RED)), "3 images for 2 placeholders"),
        (lambda p: replace(p, images=(tiny.RED, tiny.BLUE[:50])), "image 2 "),
        (lambda p: replace(p, images=(b"%PDF", tiny.BLUE)), "image 1 is not an image file"),
        (lambda p: replace(p, grammar=Grammar(labels=(), count=1)), "score grammar"),
        (
            lambda p: replace(p, grammar=Grammar(labels=("1", "2"), count=3, lead=" ")),
            "at most two scores",
        ),
    ],
)
def test_a_prompt_that_cannot_be_judged_harms_no_neighbour(
    taught: VisionCheckpoint, change: Callable[[Prompt], Prompt], message: str
) -> None:
    bad, good = VisionJudge(taught).read([change(PROMPTS[0]), PROMPTS[0]])
    assert isinstance(bad, RejectedByJudge) and message in str(bad)
    assert isinstance(good, Reply) and good.text == " 9 2"


def test_a_prompt_beyond_the_context_is_refused_with_its_images_counted(
    random_judge: VisionJudge,
) -> None:
    (refused,) = random_judge.read([tiny.pair("x " * 2000)])
    assert isinstance(refused, PromptTooLong)
    assert "(16 for each of 2 images)" in str(refused)


@pytest.mark.parametrize("forged", ["<image>", "</s>", "<s>", "<IMAGE>"])
def test_text_under_judgement_becomes_no_control_token(
    random_judge: VisionJudge, forged: str
) -> None:
    """Escaped by its own template, and also behind one that does not know the marker."""
    checkpoint = random_judge.checkpoint
    job = random_judge.admitted(0, tiny.single(forged, forged, tiny.RED))
    assert isinstance(job, Job)
    assert job.ids.count(checkpoint.image_token) == tiny.IMAGE_TOKENS
    assert job.ids.count(1) == 1 and job.ids.count(2) == 0
    other = JUDGELM.forms["pair"].render(forged, (forged, "b"), None)
    refused = random_judge.admitted(0, Prompt(text=other, grammar=TEXT.grammar))
    if forged == "<image>":
        assert isinstance(refused, RejectedByJudge)
    else:
        assert isinstance(refused, Job) and checkpoint.image_token not in refused.ids


def test_images_and_text_share_one_form() -> None:
    form = LLAVA.forms["pair"]
    assert form.image_layout is not None
    bare = form.image_layout("q", ("a", "b"), None, ImageCounts())
    assert bare.text == form.render("q", ("a", "b"), None)
