"""Prompts in, replies out: what Triton's model and the trainer's evaluation call."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from judgestream.core.errors import PromptTooLong, RejectedByJudge
from judgestream.core.templates.base import Grammar
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.readout import prefill
from judgestream.engine.writing import Written, write

MAX_WASTE = 0.1
"""Share of padding that a batch may have: prompts of very different lengths run apart."""

_TREES_KEPT = 256
_END_CHARS = 64
_CONTEXT_CHARS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One rendered prompt. `max_tokens` bounds the explanation after the score line; 0: scores only."""

    text: str
    grammar: Grammar
    max_tokens: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """A prompt on its way: where it stood, and what it became."""

    at: int
    prompt: Prompt
    ids: list[int]
    tree: ScoreTree


class Judge:
    """A loaded checkpoint that answers prompts. Not for two threads at once.

    max_batch_tokens  padded prompt tokens per forward; the default suits a CPU
    """

    def __init__(
        self, checkpoint: Checkpoint, *, max_batch_tokens: int = 8192, max_batch: int = 64
    ) -> None:
        self.checkpoint = checkpoint
        self._max_batch_tokens = max_batch_tokens
        self._max_batch = max_batch
        self._trees: dict[tuple[Grammar, str], ScoreTree] = {}

    def read(self, prompts: Sequence[Prompt]) -> list[Reply | PromptTooLong | RejectedByJudge]:
        """A reply per prompt, in order.

        A prompt that cannot be judged has its error in its place, and its neighbours are unharmed:
        `PromptTooLong`, or `RejectedByJudge` for a score grammar that is malformed or that this
        judge's tokenizer cannot write. A reply depends on its own prompt only, beyond rounding.
        """
        results: list[Reply | PromptTooLong | RejectedByJudge | None] = [None] * len(prompts)
        jobs: list[_Job] = []
        for at, prompt in enumerate(prompts):
            admitted = self._admit(at, prompt)
            if isinstance(admitted, _Job):
                jobs.append(admitted)
            else:
                results[at] = admitted
        for batch in self._batches(jobs):
            for job, reply in zip(batch, self._answer(batch), strict=True):
                results[job.at] = reply
        return [result for result in results if result is not None]

    def _admit(self, at: int, prompt: Prompt) -> _Job | PromptTooLong | RejectedByJudge:
        ids = self.checkpoint.tokens.prompt(prompt.text)
        limit = self.checkpoint.max_input_tokens
        if len(ids) > limit:
            return PromptTooLong(
                f"the prompt has {len(ids)} tokens, the context of {self.checkpoint.manifest.name}"
                f" holds {limit} prompt tokens"
            )
        try:
            tree = self._tree(prompt)
        except ValueError as error:
            return RejectedByJudge(f"score grammar: {error}")
        return _Job(at=at, prompt=prompt, ids=ids, tree=tree)

    def _tree(self, prompt: Prompt) -> ScoreTree:
        """The grammar's tree behind this prompt's end; prompts with the same last line share it."""
        key = (prompt.grammar, prompt.text.rsplit("\n", 1)[-1][-_END_CHARS:])
        tree = self._trees.get(key)
        if tree is None:
            context = prompt.text[-_CONTEXT_CHARS:]
            tree = ScoreTree.build(prompt.grammar, self.checkpoint.tokens, context)
            if len(self._trees) >= _TREES_KEPT:
                self._trees.pop(next(iter(self._trees)))
            self._trees[key] = tree
        return tree

    def _batches(self, jobs: Sequence[_Job]) -> Iterator[list[_Job]]:
        """Jobs that share a forward: same tree, similar length, within the token budget."""
        batch: list[_Job] = []
        total = 0
        for job in sorted(jobs, key=lambda job: (id(job.tree), -len(job.ids))):
            if batch:
                padded = len(batch[0].ids) * (len(batch) + 1)
                real = total + len(job.ids)
                if (
                    job.tree is not batch[0].tree
                    or padded > self._max_batch_tokens
                    or len(batch) >= self._max_batch
                    or padded > real * (1 + MAX_WASTE)
                ):
                    yield batch
                    batch, total = [], 0
            batch.append(job)
            total += len(job.ids)
        if batch:
            yield batch

    def _answer(self, batch: Sequence[_Job]) -> list[Reply]:
        started = time.perf_counter()
        tokens, model = self.checkpoint.tokens, self.checkpoint.model
        filled = prefill(model, [job.ids for job in batch], batch[0].tree, tokens.ends)
        written = write(
            model,
            filled,
            [job.prompt.max_tokens for job in batch],
            line_ends=tokens.ends,
            eos=tokens.eos,
            context_tokens=self.checkpoint.context_tokens,
        )
        probs = filled.joint.tolist()
        latency = time.perf_counter() - started
        return [
            self._reply(job, text, tuple(row), latency)
            for job, text, row in zip(batch, written, probs, strict=True)
        ]

    def _reply(
        self, job: _Job, written: Written, probs: tuple[float, ...], latency: float
    ) -> Reply:
        text = self.checkpoint.tokens.text_after(job.ids, list(written.ids))
        if job.prompt.max_tokens == 0:
            text = text.split("\n", 1)[0]
        return Reply(
            text=text,
            score_probs=probs,
            finish_reason="stop" if written.finished else "length",
            input_tokens=len(job.ids),
            output_tokens=len(written.ids),
            latency_s=latency,
        )
