"""An image scorer against transformers' own processor and `CLIPModel`."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from judgestream.backends.vision import scorer as image_scorer
from judgestream.backends.vision.scorer import ImageScorer
from judgestream.backends.vision.scorer_checkpoint import load_scorer
from judgestream.backends.vision.warm_up import warm_up_prompts
from judgestream.checkpoints.reward_scale import RewardScale, write_reward_scale
from judgestream.core.errors import ConfigurationError, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.rewards import read_value
from judgestream.core.templates import JUDGELM
from judgestream.core.types import Reply, Unreadable
from tests.backends.vision import tiny_clip
from tests.images.files import image_file

RED, BLUE, WIDE = (
    image_file("PNG", (40, 40), "red"),
    image_file("JPEG", (48, 32), "blue"),
    image_file("PNG", (90, 30), "green"),
)
CAPTIONS = ("A red square.", "sea", "\u6d77 \U0001f30a, it's BLUE")


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Do not write into it."""
    return tiny_clip.make(tmp_path_factory.mktemp("clip") / "checkpoint")


@pytest.fixture(scope="session")
def scorer(clip: Path) -> ImageScorer:
    return ImageScorer(load_scorer(clip))


def values(scorer: ImageScorer, *prompts: Prompt) -> list[float]:
    replies = scorer.read(prompts)
    assert all(isinstance(reply, Reply) for reply in replies), replies
    return [reply.score_probs[0] for reply in replies if isinstance(reply, Reply)]


@pytest.mark.parametrize("caption", [*CAPTIONS, tiny_clip.LONG])
def test_values_are_the_logits_of_transformers(
    clip: Path, scorer: ImageScorer, caption: str
) -> None:
    images = (RED, BLUE, WIDE)
    found = values(scorer, *(tiny_clip.prompt(caption, image) for image in images))
    assert found == pytest.approx(tiny_clip.own_values(clip, caption, *images), abs=1e-4)
    assert max(found) - min(found) > 0.01


def test_an_older_folder_gives_the_same(tmp_path: Path) -> None:
    """Its config.json has a wrong eos_token_id, for which the highest id counts, and it stores positions."""
    folder = tiny_clip.make(tmp_path, eos=tiny_clip.LEGACY)
    tensors = load_file(folder / "model.safetensors")
    for part, count in (("text_model", tiny_clip.POSITIONS), ("vision_model", 17)):
        tensors[f"{part}.embeddings.position_ids"] = torch.arange(count)[None]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    prompts = [tiny_clip.prompt(caption, RED) for caption in CAPTIONS]
    expected = [tiny_clip.own_values(folder, caption, RED)[0] for caption in CAPTIONS]
    assert values(ImageScorer(load_scorer(folder)), *prompts) == pytest.approx(expected, abs=1e-4)


def test_a_long_caption_is_cut_and_says_so(scorer: ImageScorer) -> None:
    short, long = scorer.read([tiny_clip.prompt("sea", RED), tiny_clip.prompt(tiny_clip.LONG, RED)])
    assert isinstance(short, Reply) and isinstance(long, Reply)
    assert (short.finish_reason, short.input_tokens) == ("stop", 5)
    assert (long.finish_reason, long.input_tokens) == ("truncated", tiny_clip.POSITIONS)
    (longer,) = values(scorer, tiny_clip.prompt(tiny_clip.LONG + " and more", RED))
    assert longer == pytest.approx(long.score_probs[0], abs=1e-4)


@pytest.mark.parametrize("forged", ["<|endoftext|>", "<|startoftext|>", "<|ENDOFTEXT|>"])
def test_a_caption_cannot_end_itself(scorer: ImageScorer, forged: str) -> None:
    tokens = scorer.checkpoint.tokens
    ids = tokens.caption(f"a {forged} b").ids
    assert ids[0] == tokens.start[0] and ids[-1] == tokens.end
    assert {tokens.start[0], tokens.end}.isdisjoint(ids[1:-1])
    assert len(ids) > len(tokens.caption("a b").ids)


def test_a_value_does_not_depend_on_the_rest_of_the_batch(
    scorer: ImageScorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [tiny_clip.prompt(text, image) for text in CAPTIONS for image in (RED, BLUE, WIDE)]
    together = values(scorer, *prompts)
    alone = [value for prompt in prompts for value in values(scorer, prompt)]
    assert together == pytest.approx(alone, abs=1e-4)
    assert values(scorer, *prompts) == together
    monkeypatch.setattr(image_scorer, "BATCH", 2)
    before = scorer.work.rows
    assert values(scorer, *prompts) == pytest.approx(together, abs=1e-4)
    assert scorer.work.rows - before == 4  # 3 captions and 3 images, two at a time


def test_equal_images_have_equal_values(scorer: ImageScorer) -> None:
    first, second = values(scorer, *[tiny_clip.prompt("A red square.", RED)] * 2)
    assert first == second


def test_values_are_on_the_scale_of_the_checkpoint(clip: Path, tmp_path: Path) -> None:
    folder = tiny_clip.make(tmp_path)
    write_reward_scale(folder, RewardScale(scale=2.0, margin=0.5, centre=3.0))
    (reply,) = ImageScorer(load_scorer(folder)).read([tiny_clip.prompt("sea", RED)])
    assert isinstance(reply, Reply)
    (raw,) = tiny_clip.own_values(clip, "sea", RED)
    assert reply.score_probs == pytest.approx(((raw - 3.0) / 2.0, 0.5), abs=1e-4)
    assert float(reply.text) == pytest.approx(raw, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda p: replace(p, images=()), "0 images beside the caption"),
        (lambda p: replace(p, images=(RED, BLUE)), "2 images beside the caption"),
        (lambda p: replace(p, images=(RED[:-30],)), "cannot be decoded"),
        (lambda p: replace(p, images=(b"%PDF",)), "the image of 4 bytes is not an image file"),
        (lambda p: replace(p, grammar=JUDGELM.forms["pair"].grammar), "writes no score line"),
    ],
)
def test_a_prompt_that_cannot_be_judged_harms_no_neighbour(
    scorer: ImageScorer, change: Callable[[Prompt], Prompt], message: str
) -> None:
    good = tiny_clip.prompt("sea", RED)
    bad, neighbour = scorer.read([change(good), good])
    assert isinstance(bad, RejectedByJudge) and message in str(bad)
    assert isinstance(neighbour, Reply)


def test_a_prompt_that_nobody_waits_for_gets_no_reply(scorer: ImageScorer) -> None:
    prompts = [tiny_clip.prompt("sea", image) for image in (RED, BLUE)]
    assert list(dict(scorer.stream(prompts, lambda index: index == 1))) == [1]


def test_it_warms_up_with_an_image(scorer: ImageScorer) -> None:
    (reply,) = scorer.read(warm_up_prompts("image-scorer-v1"))
    assert isinstance(reply, Reply)


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    folder = tiny_clip.make(tmp_path, eos=7)
    with pytest.raises(ConfigurationError, match="the model reads it at token 7"):
        load_scorer(folder)


def test_an_image_processor_of_another_size_is_refused(tmp_path: Path) -> None:
    folder = tiny_clip.make(tmp_path)
    file = folder / "processor_config.json"
    text = file.read_text()
    assert '"height": 32' in text
    file.write_text(text.replace('"height": 32', '"height": 24'))
    with pytest.raises(ConfigurationError, match=r"pixels of shape \[1, 3, 24, 32\]"):
        load_scorer(folder)


@pytest.mark.parametrize(
    ("weight", "number", "message"),
    [
        ("visual_projection.weight", float("nan"), "visual_projection.weight has values that are"),
        ("text_projection.weight", float("inf"), "text_projection.weight has values that are not"),
        ("logit_scale", float("nan"), "weight logit_scale has values that are not finite"),
        ("logit_scale", 1000.0, r"exp\(logit_scale\) is inf, not from 0.001 to 100000"),
        ("logit_scale", -1000.0, r"exp\(logit_scale\) is 0, not from"),
    ],
)
def test_weights_that_give_no_value_are_refused(
    tmp_path: Path, weight: str, number: float, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        load_scorer(_with(tmp_path, weight, number))


def test_a_vector_without_direction_has_no_value(tmp_path: Path) -> None:
    """Its cosine would be 0: every two images would be equally good."""
    scorer = ImageScorer(load_scorer(_with(tmp_path, "visual_projection.weight", 0.0)))
    (reply,) = scorer.read([tiny_clip.prompt("sea", RED)])
    assert isinstance(reply, Reply) and isinstance(read_value(reply), Unreadable)


def _with(folder: Path, weight: str, number: float) -> Path:
    """A checkpoint in which every number of this weight is that one."""
    tiny_clip.make(folder)
    tensors = load_file(folder / "model.safetensors")
    tensors[weight] = torch.full_like(tensors[weight], number)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
