"""From prefilled rows to replies: distributions of scores, then the text as it grows."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from judgestream.checkpoints.temperature import soften
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine import sequential_scores
from judgestream.engine.checkpoint import Checkpoint
from judgestream.engine.generation import Generated, Generation
from judgestream.engine.packing import PackedBatch
from judgestream.engine.readout import Prefill
from judgestream.engine.score_lines import ScoreLines
from judgestream.engine.work import Stopwatch, Work


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """An admitted prompt: its index in the call, its token ids, and the score lines behind it."""

    index: int
    prompt: Prompt
    ids: list[int]
    lines: ScoreLines


@dataclass(frozen=True, kw_only=True, slots=True)
class Decoding:
    """What the decoding of a group needs from its judge.

    partial  replies are also yielded while they grow
    """

    checkpoint: Checkpoint
    temperature: float
    work: Work
    partial: bool = False


def decode_group(
    decoding: Decoding,
    prefills: Iterable[tuple[Prefill, float]],
    jobs: Sequence[Job],
    wanted: Callable[[int], bool],
) -> Iterator[tuple[int, Reply]]:
    """Index and reply of every prompt in a group of rows, which are decoded side by side.

    prefills  the group's rows after their forward, each with the seconds that this took
    jobs      what the rows' prompts are indices into; all have the same score lines
    wanted    as in `Judge.stream`
    """
    group = _Group(decoding, jobs)
    stopwatch = Stopwatch(decoding.work)
    # 1. Read the scores of each row as it comes. Replies that need no decoding are complete now.
    for prefill, seconds in prefills:
        stopwatch.seconds += seconds
        with stopwatch.running():
            generated = group.add(prefill)
        yield from group.replies(len(group.rows) - 1, generated, stopwatch.seconds)
    # 2. Decode all others side by side.
    states = group.generation.run(lambda row, number: wanted(group.index_of(row, number)))
    for state in stopwatch.timed(states):
        for row, generated in enumerate(state):
            yield from group.replies(row, generated, stopwatch.seconds)


class _Group:
    """Rows that are decoded side by side, and which of their replies are complete."""

    def __init__(self, decoding: Decoding, jobs: Sequence[Job]) -> None:
        tokens = decoding.checkpoint.tokens
        self.rows: list[PackedBatch] = []
        self.generation = Generation(
            decoding.checkpoint.decoder,
            line_ends=tokens.ends,
            eos=tokens.eos,
            text_of=tokens.text,
            context_tokens=decoding.checkpoint.context_tokens,
        )
        self._decoding = decoding
        self._jobs = jobs
        self._probabilities: list[list[list[float]]] = []  # per row, per prompt
        self._complete: set[int] = set()

    def index_of(self, row: int, number: int) -> int:
        """The index, in the judge's call, of a row's prompt."""
        return self._jobs[self.rows[row].prompts[number]].index

    def add(self, prefill: Prefill) -> list[Generated]:
        """Read a row's scores and count it; returns what is known of its replies."""
        row, work = prefill.row, self._decoding.work
        jobs = [self._jobs[at] for at in row.prompts]
        self.rows.append(row)
        self._probabilities.append(self._scores(prefill, jobs[0].lines))
        work.rows += 1
        work.prompts += len(jobs)
        work.prompt_tokens += sum(len(job.ids) for job in jobs)
        work.run_tokens += len(row.ids) + len(prefill.tree.tokens) * len(jobs)
        return self.generation.add(prefill, [job.prompt for job in jobs])

    def replies(
        self, row: int, generated: Sequence[Generated], latency_s: float
    ) -> Iterator[tuple[int, Reply]]:
        """Of one row, each reply that has just become complete; with `partial`, also those that grow."""
        prompts, probabilities = self.rows[row].prompts, self._probabilities[row]
        for at, text, probs in zip(prompts, generated, probabilities, strict=True):
            growing = not text.finish
            if at in self._complete or text.finish == "cancelled":
                continue
            if growing and not self._decoding.partial:
                continue
            job = self._jobs[at]
            if not growing:
                self._complete.add(at)
                self._decoding.work.written += text.decoded
            yield job.index, _reply(self._decoding.checkpoint, job, text, tuple(probs), latency_s)

    def _scores(self, prefill: Prefill, lines: ScoreLines) -> list[list[float]]:
        """Per prompt of the row its joint distribution; for sequential scores the marginals, one after the
        other."""
        temperature = self._decoding.temperature
        if lines.chain is None:
            joint: list[list[float]] = soften(prefill.joint, temperature).tolist()
            return joint
        decoder = self._decoding.checkpoint.decoder
        return [
            sequential_scores.marginals(
                decoder, prefill, number, lines.chain, temperature=temperature
            )
            .flatten()
            .tolist()
            for number in range(len(prefill.row.prompts))
        ]


def _reply(
    checkpoint: Checkpoint,
    job: Job,
    generated: Generated,
    probs: tuple[float, ...],
    latency_s: float,
) -> Reply:
    tokens, ids = checkpoint.tokens, list(generated.ids)
    end = len(ids) if generated.line < 0 else generated.line
    # decoded apart: with byte tokens, a newline and half a character behind it decode to neither
    text = tokens.text_after(job.ids, ids[:end])
    if job.prompt.max_tokens == 0:
        text = text.split("\n", 1)[0]
    else:
        explanation = tokens.text_after(job.ids + ids[:end], ids[end:])
        text += _visible(explanation, job.prompt.stop, growing=not generated.finish)
    return Reply(
        text=text,
        score_probs=probs,
        finish_reason=generated.finish,
        input_tokens=len(job.ids),
        output_tokens=len(generated.ids),
        latency_s=latency_s,
    )


def _visible(text: str, stops: Sequence[str], *, growing: bool) -> str:
    """The explanation up to the first stop text.

    While it grows, its end is held back where it may turn out to be the start of a stop text, or part of a
    character.
    """
    stopped_at = [place for stop in stops if (place := text.find(stop)) >= 0]
    if stopped_at:
        return text[: min(stopped_at)]
    if not growing:
        return text
    text = text.rstrip("\ufffd")
    held_back = max(
        (size for stop in stops for size in range(1, len(stop)) if text.endswith(stop[:size])),
        default=0,
    )
    return text[: len(text) - held_back]
