"""Prompts with images in, replies out: the judge behind the family `vision`.

A plain implementation: a batch is one forward of transformers, and explanations are written one by one.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from judgestream.backends.vision.checkpoint import VisionCheckpoint
from judgestream.backends.vision.readout import Read, read
from judgestream.checkpoints.temperature import soften
from judgestream.core.errors import PromptTooLong, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine.score_lines import ScoreLineCache, ScoreLines
from judgestream.engine.work import Stopwatch, Work
from judgestream.images.decoding import decoded

BATCH_COLUMNS = 4096
"""Columns of a batch, padding included, beyond its first prompt. Attention masks grow with their square."""

LINE_TOKENS = 16
"""Longest score line outside the grammar that is written out."""

Result = Reply | PromptTooLong | RejectedByJudge


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """An admitted prompt: token ids with every image's tokens, and the images as the model takes them.

    pixels   [images, 3, height, width]; None without images
    """

    index: int
    prompt: Prompt
    ids: list[int]
    pixels: Tensor | None
    lines: ScoreLines


class VisionJudge:
    """A loaded checkpoint that answers prompts. Not thread-safe."""

    def __init__(self, checkpoint: VisionCheckpoint) -> None:
        self.checkpoint = checkpoint
        self.work = Work()
        self._lines = ScoreLineCache(checkpoint.tokens)

    def read(self, prompts: Sequence[Prompt]) -> list[Result]:
        """A reply per prompt, in order; see `stream`."""
        results = dict(self.stream(prompts))
        return [results[index] for index in range(len(prompts))]

    def stream(
        self, prompts: Sequence[Prompt], wanted: Callable[[int], bool] = lambda index: True
    ) -> Iterator[tuple[int, Result]]:
        """Index and reply of every prompt, as soon as the reply is complete.

        A prompt that cannot be judged has its error in its place, and its neighbours are unharmed:
        `PromptTooLong`, or `RejectedByJudge` for an image that cannot be decoded, another number of images
        than of placeholders, or a score grammar that this tokenizer cannot write.

        wanted   whether a client still waits for the prompt with this index; a prompt that is not wanted gets
                 no reply
        """
        jobs: list[Job] = []
        for index, prompt in enumerate(prompts):
            job = self.admitted(index, prompt)
            if isinstance(job, Job):
                jobs.append(job)
            else:
                yield index, job
        for batch in _batches(jobs):
            asked = [job for job in batch if wanted(job.index)]
            if not asked:
                continue
            stopwatch = Stopwatch(self.work)
            with stopwatch.running():
                scores = self._scores(asked)
            for job, score in zip(asked, scores, strict=True):
                with stopwatch.running():
                    reply = self._reply(job, score, wanted)
                if reply is not None:
                    yield job.index, replace(reply, latency_s=stopwatch.seconds)

    def admitted(self, index: int, prompt: Prompt) -> Job | PromptTooLong | RejectedByJudge:
        """The prompt with its pictures decoded and its tokens counted, or why it cannot be judged."""
        checkpoint = self.checkpoint
        if prompt.reasoning is not None or prompt.grammar.reward:
            return RejectedByJudge("a judge of images writes its scores first: ask for scores")
        pixels = []
        for number, data in enumerate(prompt.images, start=1):
            try:
                # at once: a picture can take 75 MB, its pixels for the model take one
                pixels.append(checkpoint.pixels([decoded(data)]))
            except ValueError as error:
                return RejectedByJudge(f"image {number} {error}")
        ids = checkpoint.tokens.prompt(prompt.text)
        placeholders = ids.count(checkpoint.image_token)
        if placeholders != len(pixels):
            return RejectedByJudge(
                f"{len(pixels)} images for {placeholders} placeholders in the prompt: send one for each"
            )
        ids = [
            part
            for token in ids
            for part in [token]
            * (checkpoint.image_tokens if token == checkpoint.image_token else 1)
        ]
        if not ids:
            return RejectedByJudge(
                "the prompt is empty, and this judge's tokenizer puts no BOS before it"
            )
        limit = checkpoint.manifest.max_input_tokens
        if len(ids) > limit:
            return PromptTooLong(
                f"the prompt has {len(ids)} tokens ({checkpoint.image_tokens} for each of"
                f" {len(pixels)} images), the context of {checkpoint.manifest.name} holds {limit} prompt"
                " tokens"
            )
        try:
            lines = self._lines.of(prompt)
        except ValueError as error:
            return RejectedByJudge(f"score grammar: {error}")
        if lines.chain is not None:
            return RejectedByJudge("score grammar: a judge of images gives at most two scores")
        return Job(
            index=index,
            prompt=prompt,
            ids=ids,
            pixels=torch.cat(pixels) if pixels else None,
            lines=lines,
        )

    def _scores(self, jobs: Sequence[Job]) -> list[Read]:
        pixels = [job.pixels for job in jobs if job.pixels is not None]
        tree = jobs[0].lines.tree
        scores = read(
            self.checkpoint,
            [job.ids for job in jobs],
            torch.cat(pixels) if pixels else None,
            tree,
        )
        longest = max(len(job.ids) for job in jobs)
        self.work.rows += 1
        self.work.prompts += len(jobs)
        self.work.prompt_tokens += sum(len(job.ids) for job in jobs)
        self.work.run_tokens += len(jobs) * (longest + len(tree.tokens))
        return scores

    def _reply(self, job: Job, score: Read, wanted: Callable[[int], bool]) -> Reply | None:
        """The reply, with its text written as far as it was asked for; None if nobody waits for it."""
        tokens, line = self.checkpoint.tokens, score.greedy
        limit = job.prompt.max_tokens
        probs = soften(score.joint, self.checkpoint.temperature).tolist()
        finish, written = "stop", list(line or ())
        if line is None or limit:
            limit += LINE_TOKENS if line is None else 0
            more, finish = self._written(job, written, limit, wanted)
            if finish == "cancelled":
                return None
            written += more
        text = tokens.text_after(job.ids, written)
        if job.prompt.max_tokens == 0:
            text, _, rest = text.partition("\n")
            finish = "stop" if rest or line is not None else finish
        else:
            text = _stopped(text, job.prompt.stop)
        self.work.written += len(written) - len(line or ())
        return Reply(
            text=text,
            score_probs=tuple(probs),
            finish_reason=finish,
            input_tokens=len(job.ids),
            output_tokens=len(written),
        )

    @torch.inference_mode()
    def _written(
        self, job: Job, line: Sequence[int], limit: int, wanted: Callable[[int], bool]
    ) -> tuple[list[int], str]:
        """The tokens that the judge writes behind the prompt and the line, and why they end."""
        checkpoint, prompt = self.checkpoint, job.prompt
        before = torch.tensor([[*job.ids, *line]], device=checkpoint.device)
        room = checkpoint.context_tokens - before.shape[1]
        if room < 1:
            return [], "length"
        sampling = prompt.temperature > 0
        gone = _Gone(lambda: not wanted(job.index))
        with torch.random.fork_rng():
            torch.manual_seed(prompt.seed)
            model: Any = checkpoint.model
            output = model.generate(
                input_ids=before,
                attention_mask=torch.ones_like(before),
                pixel_values=job.pixels,
                max_new_tokens=min(limit, room),
                do_sample=sampling,
                temperature=prompt.temperature if sampling else None,
                top_p=None,
                top_k=0 if sampling else None,
                eos_token_id=sorted(checkpoint.tokens.eos),
                pad_token_id=min(checkpoint.tokens.eos),
                stopping_criteria=StoppingCriteriaList([gone]),
            )
        written: list[int] = output[0, before.shape[1] :].tolist()
        if gone.stopped:
            return [], "cancelled"
        ended = bool(written) and written[-1] in checkpoint.tokens.eos
        return written, "stop" if ended or _stops(checkpoint, job, written) else "length"


class _Gone(StoppingCriteria):
    """Ends a text for which no client waits."""

    def __init__(self, gone: Callable[[], bool]) -> None:
        self._gone = gone
        self.stopped = False

    def __call__(
        self, input_ids: torch.LongTensor, scores: torch.FloatTensor, **kwargs: object
    ) -> torch.BoolTensor:
        self.stopped = self.stopped or self._gone()
        ended = torch.full((input_ids.shape[0],), self.stopped, device=input_ids.device)
        return ended  # type: ignore[return-value]


def _batches(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Jobs with the same score lines, the longest first, as many as `BATCH_COLUMNS` holds."""
    groups: dict[int, list[Job]] = {}
    for job in jobs:
        groups.setdefault(id(job.lines), []).append(job)
    for group in groups.values():
        batch: list[Job] = []
        for job in sorted(group, key=lambda job: -len(job.ids)):
            columns = len((batch or [job])[0].ids) + len(job.lines.tree.tokens)
            if batch and (len(batch) + 1) * columns > BATCH_COLUMNS:
                yield batch
                batch = []
            batch.append(job)
        yield batch


def _stopped(text: str, stops: Sequence[str]) -> str:
    """The text up to the first stop text."""
    return text[: min([text.find(stop) for stop in stops if stop in text], default=len(text))]


def _stops(checkpoint: VisionCheckpoint, job: Job, written: Sequence[int]) -> bool:
    text = checkpoint.tokens.text_after(job.ids, list(written))
    return any(stop in text for stop in job.prompt.stop)
