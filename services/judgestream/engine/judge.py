"""Prompts in, replies out: what Triton's model and the trainer's evaluation call."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from judgestream.checkpoints.temperature import soften
from judgestream.core.errors import PromptTooLong, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import JOINT_UP_TO, Grammar
from judgestream.core.types import Reply
from judgestream.engine import sequential_scores
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.decoder import Decoder
from judgestream.engine.generation import Writing, Written
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.packing import Row, pack
from judgestream.engine.readout import Prefill, prefill
from judgestream.engine.row_threads import Lanes
from judgestream.engine.sequential_scores import ChainLines

ROW_BYTES = {"cpu": 4096, "cuda": 32_768}
"""Tokens per forward times the bytes of a number. A CPU is fastest while a row's activations stay in its
cache (measured, see `triton_models/README.md`); a GPU wants enough work per launch."""

WRITERS = 32
"""Explanations written side by side, at least, where there are as many: each holds its prompt's memory."""

_LINES_KEPT = 256
_END_CHARS = 64
_CONTEXT_CHARS = 2000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Lines:
    """The score lines behind a prompt: their tree, and for a chain the tree of its first score."""

    tree: ScoreTree
    chain: ChainLines | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Job:
    """A prompt on its way: where it stood, and what it became."""

    at: int
    prompt: Prompt
    ids: list[int]
    lines: _Lines


Result = Reply | PromptTooLong | RejectedByJudge


@dataclass(kw_only=True, slots=True)
class Work:
    """What a judge has done since it was made. Counters that only grow.

    prompt_tokens  of the prompts as they came; run_tokens: of the rows, where common prefixes run once and
                   score branches are added
    rows           forwards; a row's fill is run_tokens / (rows * row_tokens)
    written        tokens decoded one by one: explanations, and score lines outside the grammar
    seconds        spent computing
    """

    prompts: int = 0
    prompt_tokens: int = 0
    run_tokens: int = 0
    rows: int = 0
    written: int = 0
    seconds: float = 0.0


class Judge:
    """A loaded checkpoint that answers prompts. Not for two threads at once.

    row_tokens   tokens per forward; None: what suits the device (see `row_tokens_of`)
    temperature  None: the checkpoint's own (see `calibration`)
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
        self._known: dict[tuple[Grammar, str], _Lines] = {}
        self._lanes = Lanes(checkpoint.decoder.device)

    def read(self, prompts: Sequence[Prompt]) -> list[Result]:
        """A reply per prompt, in order; see `stream`."""
        results = dict(self.stream(prompts))
        return [results[at] for at in range(len(prompts))]

    def stream(
        self,
        prompts: Sequence[Prompt],
        wanted: Callable[[int], bool] = lambda at: True,
        *,
        partial: bool = False,
    ) -> Iterator[tuple[int, Result]]:
        """Index and reply of every prompt, as soon as it is there.

        A prompt that cannot be judged has its error in its place, and its neighbours are unharmed:
        `PromptTooLong`, or `RejectedByJudge` for a score grammar that is malformed or that this
        judge's tokenizer cannot write. A reply depends on its own prompt only, beyond rounding.
        `wanted` is asked before a row runs, and again while explanations are written: what nobody wants
        any more is left out.

        partial  replies come while they grow, too: the scores as soon as they are read, then the text as
                 far as it is written. Their `finish_reason` is "", and each text begins with the one before.
        """
        jobs: list[_Job] = []
        for at, prompt in enumerate(prompts):
            admitted = self._admit(at, prompt)
            if isinstance(admitted, _Job):
                jobs.append(admitted)
            else:
                yield at, admitted
        for batch in _by_lines(jobs):
            tree = batch[0].lines.tree
            rows = pack([job.ids for job in batch], budget=self.row_tokens, extra=len(tree.tokens))

            def asked(rows: Iterable[Row], batch: Sequence[_Job] = batch) -> Iterator[Row]:
                return (row for row in rows if any(wanted(batch[at].at) for at in row.prompts))

            bare = [row for row in rows if not _explained(row, batch)]
            for filled in self._prefills(asked(bare), tree):  # scores at once
                yield from self._answer([filled], batch, wanted, partial=partial)
            for company in _together([row for row in rows if _explained(row, batch)]):
                filling = self._prefills(asked(company), tree)
                yield from self._answer(filling, batch, wanted, partial=partial)

    def _admit(self, at: int, prompt: Prompt) -> _Job | PromptTooLong | RejectedByJudge:
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
        try:
            lines = self._lines(prompt)
        except ValueError as error:
            return RejectedByJudge(f"score grammar: {error}")
        return _Job(at=at, prompt=prompt, ids=ids, lines=lines)

    def _lines(self, prompt: Prompt) -> _Lines:
        """The grammar's lines behind this prompt's end; prompts with the same last line share them."""
        key = (prompt.grammar, prompt.text.rsplit("\n", 1)[-1][-_END_CHARS:])
        lines = self._known.get(key)
        if lines is None:
            lines = self._build(prompt)
            if len(self._known) >= _LINES_KEPT:
                self._known.pop(next(iter(self._known)))
            self._known[key] = lines
        return lines

    def _build(self, prompt: Prompt) -> _Lines:
        """Of a chain, the tree of its first score: its likeliest tokens are where writing begins."""
        grammar, tokens = prompt.grammar, self.checkpoint.tokens
        context = prompt.text[-_CONTEXT_CHARS:]
        if grammar.count <= JOINT_UP_TO:
            return _Lines(tree=ScoreTree.build(grammar, tokens, context))
        return _Lines(
            tree=ScoreTree.build(replace(grammar, count=1), tokens, context),
            chain=ChainLines(grammar, tokens, context),
        )

    def _probabilities(self, filled: Prefill, lines: ChainLines | None) -> list[list[float]]:
        """Per prompt of a row: its joint distribution, or of a chain the marginals, one after the other."""
        if lines is None:
            joint: list[list[float]] = soften(filled.joint, self.temperature).tolist()
            return joint
        decoder, temperature = self.checkpoint.decoder, self.temperature
        return [
            sequential_scores.marginals(decoder, filled, at, lines, temperature=temperature)
            .flatten()
            .tolist()
            for at in range(len(filled.row.prompts))
        ]

    def _prefills(self, rows: Iterable[Row], tree: ScoreTree) -> Iterator[tuple[Prefill, float]]:
        """Every row after its forward, and the seconds that were waited for it."""
        decoder, ends = self.checkpoint.decoder, self.checkpoint.tokens.ends
        filling = self._lanes.run(lambda row: prefill(decoder, row, tree, ends), rows)
        while True:
            clock = _Clock(self.work)
            filled = next(filling, None)
            clock.stop()
            if filled is None:
                return
            yield filled, clock.seconds

    def _answer(
        self,
        filling: Iterable[tuple[Prefill, float]],
        jobs: Sequence[_Job],
        wanted: Callable[[int], bool],
        *,
        partial: bool,
    ) -> Iterator[tuple[int, Reply]]:
        clock = _Clock(self.work)
        clock.stop()
        tokens = self.checkpoint.tokens
        writing = Writing(
            self.checkpoint.decoder,
            line_ends=tokens.ends,
            eos=tokens.eos,
            text_of=tokens.text,
            context_tokens=self.checkpoint.context_tokens,
        )
        told: set[int] = set()

        def replies(
            row: Row, texts: Sequence[Written], joint: Sequence[Sequence[float]]
        ) -> Iterator[tuple[int, Reply]]:
            """Of one row: what has come to its end, and with `partial` what is on its way."""
            for at, text, line in zip(row.prompts, texts, joint, strict=True):
                if at in told or text.finish == "cancelled" or not (text.finish or partial):
                    continue
                reply = self._reply(jobs[at], text, tuple(line), clock.seconds)
                if text.finish:
                    told.add(at)
                    self.work.written += text.decoded
                yield jobs[at].at, reply

        rows: list[Row] = []
        joints: list[list[list[float]]] = []
        for filled, seconds in filling:
            clock.seconds += seconds
            clock.start()
            row = filled.row
            rows.append(row)
            joints.append(self._probabilities(filled, jobs[row.prompts[0]].lines.chain))
            known = writing.add(filled, [jobs[at].prompt for at in row.prompts])
            clock.stop()
            self.work.rows += 1
            self.work.prompts += len(row.prompts)
            self.work.prompt_tokens += sum(len(jobs[at].ids) for at in row.prompts)
            self.work.run_tokens += len(row.ids) + len(filled.tree.tokens) * len(row.prompts)
            yield from replies(row, known, joints[-1])
        clock.start()
        for texts in writing.run(lambda n, k: wanted(jobs[rows[n].prompts[k]].at)):
            clock.stop()
            for row, own, joint in zip(rows, texts, joints, strict=True):
                yield from replies(row, own, joint)
            clock.start()
        clock.stop()

    def _reply(
        self, job: _Job, written: Written, probs: tuple[float, ...], latency: float
    ) -> Reply:
        tokens, ids = self.checkpoint.tokens, list(written.ids)
        end = len(ids) if written.line < 0 else written.line
        # apart: with byte tokens, a newline and half a character behind it decode to neither
        text = tokens.text_after(job.ids, ids[:end])
        explanation = tokens.text_after(job.ids + ids[:end], ids[end:])
        if job.prompt.max_tokens == 0:
            text = text.split("\n", 1)[0]
        else:
            text += _shown(explanation, job.prompt.stop, growing=not written.finish)
        return Reply(
            text=text,
            score_probs=probs,
            finish_reason=written.finish,
            input_tokens=len(job.ids),
            output_tokens=len(written.ids),
            latency_s=latency,
        )


def row_tokens_of(decoder: Decoder) -> int:
    """Tokens per forward that suit a decoder's device and numbers."""
    return ROW_BYTES[decoder.device.type] // decoder.dtype.itemsize


def _by_lines(jobs: Sequence[_Job]) -> list[list[_Job]]:
    """Jobs that can share rows: those with the same score lines behind them."""
    groups: dict[int, list[_Job]] = {}
    for job in jobs:
        groups.setdefault(id(job.lines), []).append(job)
    return list(groups.values())


def _explained(row: Row, jobs: Sequence[_Job]) -> bool:
    return any(jobs[at].prompt.max_tokens > 0 for at in row.prompts)


def _together(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Rows whose explanations are written side by side."""
    held: list[Row] = []
    for row in rows:
        held.append(row)
        if sum(len(one.prompts) for one in held) >= WRITERS:
            yield held
            held = []
    if held:
        yield held


class _Clock:
    """Adds the time between `start` and `stop` to the work's seconds; runs from the beginning.

    Between the two the caller has the word, whose time is not ours.
    """

    def __init__(self, work: Work) -> None:
        self.seconds = 0.0
        self._work = work
        self._since = time.perf_counter()

    def start(self) -> None:
        self._since = time.perf_counter()

    def stop(self) -> None:
        passed = time.perf_counter() - self._since
        self.seconds += passed
        self._work.seconds += passed


def _shown(text: str, stop: Sequence[str], *, growing: bool) -> str:
    """The explanation up to the first stop text. While it grows, what may yet turn out to be the start of a
    stop text, or part of a character, is held back."""
    found = [at for one in stop if (at := text.find(one)) >= 0]
    if found:
        return text[: min(found)]
    if not growing:
        return text
    text = text.rstrip("\ufffd")
    held = max(
        (size for one in stop for size in range(1, len(one)) if text.endswith(one[:size])),
        default=0,
    )
    return text[: len(text) - held]
