"""Prompts in, replies out: the entry point for Triton's model and the trainer's evaluation."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from judgestream.core.errors import PromptTooLong, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.decoder import Decoder
from judgestream.engine.decoding import Decoding, Job, decode_group
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.packing import PackedBatch, pack
from judgestream.engine.readout import Prefill, prefill
from judgestream.engine.reasoning import (
    Written,
    nothing_to_read,
    reply_of,
    write_reasonings,
)
from judgestream.engine.row_threads import RowThreadPool
from judgestream.engine.score_lines import ScoreLineCache
from judgestream.engine.values import Conversation, ConversationReader, row_values
from judgestream.engine.work import Stopwatch, Work

ROW_BYTES = {"cpu": 4096, "cuda": 32_768}
"""Tokens per forward times the bytes of a number. A CPU is fastest while a row's activations stay in its
cache (docs/design/engine.md); a GPU needs enough work per launch."""

MIN_DECODED_TOGETHER = 32
"""Explanations are decoded side by side, at least this many where there are as many. Each holds the KV cache
of its prompt's row."""

Row = TypeVar("Row")
Result = Reply | PromptTooLong | RejectedByJudge


class Judge:
    """A loaded checkpoint that answers prompts. Not thread-safe; streams may interleave.

    row_tokens   tokens per forward; None: what suits the device (see `row_tokens_of`)
    temperature  None: the checkpoint's own (see `checkpoints.temperature`)
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        row_tokens: int | None = None,
        temperature: float | None = None,
    ) -> None:
        self.checkpoint = checkpoint
        self.temperature = checkpoint.temperature if temperature is None else temperature
        self.row_tokens = row_tokens or row_tokens_of(checkpoint.decoder)
        self.work = Work()
        self._lines = ScoreLineCache(checkpoint.tokens)
        self._threads = RowThreadPool(checkpoint.decoder.device)
        self._conversations = (
            None if checkpoint.scale is None else ConversationReader(checkpoint, checkpoint.scale)
        )

    def read(self, prompts: Sequence[Prompt]) -> list[Result]:
        """A reply per prompt, in order; see `stream`."""
        results = dict(self.stream(prompts))
        return [results[index] for index in range(len(prompts))]

    def stream(
        self,
        prompts: Sequence[Prompt],
        wanted: Callable[[int], bool] = lambda index: True,
        *,
        partial: bool = False,
    ) -> Iterator[tuple[int, Result]]:
        """Index and reply of every prompt, as soon as the reply is complete.

        A prompt that cannot be judged has its error in its place, and its neighbours are unharmed:
        `PromptTooLong`, or `RejectedByJudge` for a score grammar that is malformed or that this
        judge's tokenizer cannot write. A reply depends on its own prompt only, beyond rounding. A reward
        model gives values, and writes no explanation.

        wanted   whether a client still waits for the prompt with this index; called before its row runs
                 and again while explanations are decoded. A prompt that is not wanted gets no reply.
        partial  also yield replies while they grow: the scores as soon as they are read, then the text
                 so far. Their `finish_reason` is "", and each text begins with the one before.
        """
        if self._conversations is not None:
            yield from self._valued(self._conversations, prompts, wanted)
            return
        jobs: list[Job] = []
        for index, prompt in enumerate(prompts):
            admitted = self._admit(index, prompt)
            if isinstance(admitted, Job):
                jobs.append(admitted)
            else:
                yield index, admitted
        decoding = Decoding(
            checkpoint=self.checkpoint,
            temperature=self.temperature,
            work=self.work,
            partial=partial,
        )
        yield from self._score(
            decoding, [job for job in jobs if job.prompt.reasoning is None], wanted
        )
        reasoning = [job for job in jobs if job.prompt.reasoning is not None]
        if reasoning:
            yield from self._reason(replace(decoding, partial=False), reasoning, wanted)

    def _score(
        self, decoding: Decoding, jobs: Sequence[Job], wanted: Callable[[int], bool]
    ) -> Iterator[tuple[int, Reply]]:
        """Index and reply of prompts whose scores come first."""
        for batch in _by_lines(jobs):
            tree = batch[0].lines.tree
            rows = pack([job.ids for job in batch], budget=self.row_tokens, extra=len(tree.tokens))
            explained = [row for row in rows if _is_explained(row, batch)]
            bare = [row for row in rows if not _is_explained(row, batch)]
            # scores that need no explanation come first, row by row
            for prefilled in self._prefills(_wanted(bare, batch, wanted), tree):
                yield from decode_group(decoding, [prefilled], batch, wanted)
            for group in _groups(explained):
                prefills = self._prefills(_wanted(group, batch, wanted), tree)
                yield from decode_group(decoding, prefills, batch, wanted)

    def _valued(
        self,
        reader: ConversationReader,
        prompts: Sequence[Prompt],
        wanted: Callable[[int], bool],
    ) -> Iterator[tuple[int, Result]]:
        """`stream` of a reward model."""
        admitted: list[Conversation] = []
        for index, prompt in enumerate(prompts):
            one = reader.admit(index, prompt)
            if isinstance(one, Conversation):
                admitted.append(one)
            else:
                yield index, one
        decoder, work = self.checkpoint.decoder, self.work
        packed = pack([one.ids for one in admitted], budget=self.row_tokens)
        rows = (row for row in packed if any(wanted(admitted[at].index) for at in row.prompts))
        valued = self._threads.run(lambda row: (row, row_values(decoder, row)), rows)
        for (row, values), seconds in self._with_seconds(valued):
            work.rows += 1
            work.prompts += len(row.prompts)
            work.prompt_tokens += sum(len(admitted[at].ids) for at in row.prompts)
            work.run_tokens += len(row.ids)
            for at, raw in zip(row.prompts, values, strict=True):
                yield admitted[at].index, reader.reply(admitted[at], raw, seconds)

    def _reason(
        self, decoding: Decoding, jobs: Sequence[Job], wanted: Callable[[int], bool]
    ) -> Iterator[tuple[int, Result]]:
        """Index and reply of prompts whose reasoning comes first."""
        tree = nothing_to_read(self.checkpoint.tokens)
        for group in _groups(pack([job.ids for job in jobs], budget=self.row_tokens)):
            prefills = self._prefills(_wanted(group, jobs, wanted), tree)
            # 1. Write the reasonings of a group side by side.
            for written in write_reasonings(decoding, prefills, jobs, wanted):
                # 2. Read the scores behind each; they share the prompt.
                yield written.job.index, self._average(decoding, written)

    def _average(self, decoding: Decoding, written: Written) -> Result:
        """The reply of one prompt with its reasonings."""
        admitted = [
            self._admit_scored(number, prompt) for number, prompt in enumerate(written.prompts)
        ]
        jobs = [job for job in admitted if isinstance(job, Job)]
        errors = [error for error in admitted if not isinstance(error, Job)]
        if errors:
            return errors[0]
        counted = self.work.prompts
        replies = dict(self._score(decoding, jobs, lambda index: True))
        self.work.prompts = counted + 1
        return reply_of(written, [replies[number] for number in range(len(jobs))])

    def _admit(self, index: int, prompt: Prompt) -> Job | PromptTooLong | RejectedByJudge:
        ids = self.checkpoint.tokens.prompt(prompt.text)
        if not ids:
            return RejectedByJudge(
                "the prompt is empty, and this judge's tokenizer puts no BOS before it"
            )
        limit = self.checkpoint.max_input_tokens
        if len(ids) > limit:
            return PromptTooLong(
                f"the prompt has {len(ids)} tokens, the context of {self.checkpoint.manifest.name}"
                f" holds {limit} prompt tokens"
            )
        reasoning = prompt.reasoning
        if reasoning is None:
            return self._job(index, prompt, ids)
        if len(ids) + reasoning.max_tokens > limit:
            return PromptTooLong(
                f"the prompt has {len(ids)} tokens and its reasoning may have {reasoning.max_tokens}, the"
                f" context of {self.checkpoint.manifest.name} holds {limit} tokens before the scores"
            )
        job = self._job(index, prompt.behind(""), ids)  # whether its scores can be read at all
        return replace(job, prompt=prompt) if isinstance(job, Job) else job

    def _admit_scored(self, index: int, prompt: Prompt) -> Job | PromptTooLong | RejectedByJudge:
        """A prompt with its reasoning, which may use the reserve that prompts leave for their replies."""
        ids = self.checkpoint.tokens.prompt(prompt.text)
        if len(ids) >= self.checkpoint.context_tokens:
            return PromptTooLong(
                f"prompt and reasoning have {len(ids)} tokens, the context of"
                f" {self.checkpoint.manifest.name} holds {self.checkpoint.context_tokens}"
            )
        return self._job(index, prompt, ids)

    def _job(self, index: int, prompt: Prompt, ids: list[int]) -> Job | RejectedByJudge:
        try:
            lines = self._lines.of(prompt)
        except ValueError as error:
            return RejectedByJudge(f"score grammar: {error}")
        return Job(index=index, prompt=prompt, ids=ids, lines=lines)

    def _prefills(
        self, rows: Iterable[PackedBatch], tree: ScoreTree
    ) -> Iterator[tuple[Prefill, float]]:
        """Every row after its forward, and the seconds until it was there."""
        decoder, ends = self.checkpoint.decoder, self.checkpoint.tokens.ends
        return self._with_seconds(
            self._threads.run(lambda row: prefill(decoder, row, tree, ends), rows)
        )

    def _with_seconds(self, computed: Iterator[Row]) -> Iterator[tuple[Row, float]]:
        """What was computed of every row, and the seconds until it was there."""
        while True:
            stopwatch = Stopwatch(self.work)
            with stopwatch.running():
                one = next(computed, None)
            if one is None:
                return
            yield one, stopwatch.seconds


def row_tokens_of(decoder: Decoder) -> int:
    """Tokens per forward that suit a decoder's device and dtype."""
    return ROW_BYTES[decoder.device.type] // decoder.dtype.itemsize


def _by_lines(jobs: Sequence[Job]) -> list[list[Job]]:
    """Jobs that can share rows: those with the same score lines behind them."""
    groups: dict[int, list[Job]] = {}
    for job in jobs:
        groups.setdefault(id(job.lines), []).append(job)
    return list(groups.values())


def _is_explained(row: PackedBatch, jobs: Sequence[Job]) -> bool:
    return any(jobs[at].prompt.max_tokens > 0 for at in row.prompts)


def _wanted(
    rows: Iterable[PackedBatch], jobs: Sequence[Job], wanted: Callable[[int], bool]
) -> Iterator[PackedBatch]:
    """The rows with a prompt that is still wanted when their turn comes."""
    return (row for row in rows if any(wanted(jobs[at].index) for at in row.prompts))


def _groups(rows: Sequence[PackedBatch]) -> Iterator[list[PackedBatch]]:
    """Rows whose explanations are decoded side by side."""
    group: list[PackedBatch] = []
    for row in rows:
        group.append(row)
        if sum(len(member.prompts) for member in group) >= MIN_DECODED_TOGETHER:
            yield group
            group = []
    if group:
        yield group
