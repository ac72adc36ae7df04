"""Captions and images in, values out: the image scorer behind the family `scorer`.

The value of an image is that of CLIP (arXiv 2103.00020, section 2.3), as transformers' `CLIPModel` computes
it: exp(logit_scale) times the cosine of the two projected vectors, image and caption. PickScore
(arXiv 2305.01569) has the same, and takes the difference of two values as log-odds, as `core.rewards` does.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from judgestream.backends.vision.captions import Caption, padded
from judgestream.backends.vision.scorer_checkpoint import ScorerCheckpoint
from judgestream.core.errors import RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.templates.image_scorer import TRUNCATED
from judgestream.core.types import Reply
from judgestream.engine.work import Stopwatch, Work
from judgestream.images.decoding import decoded

Row = TypeVar("Row")

BATCH = 16
"""Images, or captions, of one forward."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Pair:
    """An admitted prompt: a caption, and the file of the image that it is held against."""

    index: int
    caption: Caption
    image: bytes


class ImageScorer:
    """A loaded checkpoint that values images. Not thread-safe."""

    def __init__(self, checkpoint: ScorerCheckpoint) -> None:
        self.checkpoint = checkpoint
        self.work = Work()

    def read(self, prompts: Sequence[Prompt]) -> list[Reply | RejectedByJudge]:
        """A reply per prompt, in order; see `stream`."""
        results = dict(self.stream(prompts))
        return [results[index] for index in range(len(prompts))]

    def stream(
        self, prompts: Sequence[Prompt], wanted: Callable[[int], bool] = lambda index: True
    ) -> Iterator[tuple[int, Reply | RejectedByJudge]]:
        """Index and reply of every prompt. Equal captions and equal images of a call are computed once.

        A prompt that cannot be judged has its error in its place, and its neighbours are unharmed.

        wanted   whether a client still waits for the prompt with this index; a prompt that is not wanted gets
                 no reply
        """
        stopwatch = Stopwatch(self.work)
        pixels: dict[bytes, Tensor] = {}
        pairs: list[Pair] = []
        for index, prompt in enumerate(prompts):
            if not wanted(index):
                continue
            with stopwatch.running():
                found = self._admitted(index, prompt, pixels)
            if isinstance(found, Pair):
                pairs.append(found)
            else:
                yield index, found
        with stopwatch.running():
            values = self._values(pairs, pixels)
        for pair, raw in zip(pairs, values, strict=True):
            yield pair.index, self._reply(pair, raw, stopwatch.seconds)

    def _admitted(
        self, index: int, prompt: Prompt, pixels: dict[bytes, Tensor]
    ) -> Pair | RejectedByJudge:
        """The prompt's caption and image, whose pixels are added to `pixels`, or why it cannot be judged."""
        if not prompt.grammar.reward or prompt.reasoning is not None:
            return RejectedByJudge(
                f"score grammar: {self.checkpoint.manifest.name} is an image scorer and writes no score line:"
                ' send {"reward": true, "labels": [], "count": 1}'
            )
        if len(prompt.images) != 1:
            return RejectedByJudge(
                f"{len(prompt.images)} images beside the caption: an image scorer takes one"
            )
        (image,) = prompt.images
        try:
            if image not in pixels:
                # at once: a picture can take 75 MB, its pixels for the model take one
                pixels[image] = self.checkpoint.pixels([decoded(image)])
            caption = self.checkpoint.tokens.caption(prompt.text)
        except ValueError as error:
            return RejectedByJudge(f"the image of {len(image)} bytes {error}")
        return Pair(index=index, caption=caption, image=image)

    @torch.inference_mode()
    def _values(self, pairs: Sequence[Pair], pixels: dict[bytes, Tensor]) -> list[float]:
        """The raw value of every pair."""
        checkpoint = self.checkpoint
        captions = {pair.caption.ids: pair.caption for pair in pairs}
        texts: dict[tuple[int, ...], Tensor] = {}
        for batch in _batches(list(captions.values())):
            ids, mask = padded(batch, checkpoint.tokens.end)
            found = checkpoint.model.get_text_features(
                input_ids=torch.tensor(ids, device=checkpoint.device),
                attention_mask=torch.tensor(mask, device=checkpoint.device),
            )
            texts |= zip((one.ids for one in batch), _directions(found.pooler_output), strict=True)
            self.work.rows += 1
            self.work.run_tokens += len(ids) * len(ids[0])
        images: dict[bytes, Tensor] = {}
        for files in _batches(list(dict.fromkeys(pair.image for pair in pairs))):
            seen = checkpoint.model.get_image_features(
                pixel_values=torch.cat([pixels[file] for file in files])
            )
            images |= zip(files, _directions(seen.pooler_output), strict=True)
            self.work.rows += 1
        self.work.prompts += len(pairs)
        self.work.prompt_tokens += sum(len(pair.caption.ids) for pair in pairs)
        cosines = [float(texts[pair.caption.ids] @ images[pair.image]) for pair in pairs]
        return [checkpoint.factor * cosine for cosine in cosines]

    def _reply(self, pair: Pair, raw: float, latency_s: float) -> Reply:
        """The value in units of log-odds with the tie margin; the text is the raw value."""
        scale = self.checkpoint.scale
        return Reply(
            text=f"{raw:.6g}",
            score_probs=(scale.value(raw), scale.margin),
            finish_reason=TRUNCATED if pair.caption.cut else "stop",
            input_tokens=len(pair.caption.ids),
            latency_s=latency_s,
        )


def _batches(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    for start in range(0, len(rows), BATCH):
        yield rows[start : start + BATCH]


def _directions(vectors: Tensor) -> Tensor:
    """The vectors [rows, width] at length 1, in fp32 on the CPU. One of length 0 has no direction: NaN, which
    makes an unreadable reply and not the value 0."""
    found = vectors.float()
    lengths: Tensor = torch.linalg.vector_norm(found, dim=-1, keepdim=True)
    return (found / lengths).cpu()
