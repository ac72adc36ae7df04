"""Reasonings before the scores: written by the judge, then put behind its prompt up to the marker.

The judge writes until it completes the marker, ends its reply, or reaches the limit. In the latter two cases
the marker is written for it. Prompt, reasoning and marker are then one text that ends where its score line
starts, and the scores are read behind it exactly as behind a prompt whose scores come first.

The prompt runs a second time for that, once for all of its reasonings (see `packing`), so that no result
depends on how the text was generated.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from judgestream.core.parsing import up_to_marker
from judgestream.core.prompt import Prompt
from judgestream.core.reasonings import averaged
from judgestream.core.templates.base import Grammar, Reasoning
from judgestream.core.types import Reply
from judgestream.engine.decoding import Decoding, Job
from judgestream.engine.generation import Generated, Generation
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.readout import Prefill
from judgestream.engine.tokens import Tokens
from judgestream.engine.work import Stopwatch


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A prompt's reasonings.

    texts     each up to the marker, which is not part of it
    tokens    that were generated for all of them
    cut       whether the token limit ended one of them
    seconds   spent until all reasonings of its group were complete
    """

    job: Job
    texts: tuple[str, ...]
    tokens: int
    cut: bool
    seconds: float

    @property
    def prompts(self) -> list[Prompt]:
        """Per reasoning: the prompt behind which its scores are read."""
        return [self.job.prompt.behind(text) for text in self.texts]


def nothing_to_read(tokens: Tokens) -> ScoreTree:
    """A tree that feeds no token behind a prompt: for prompts that only their text continues."""
    return ScoreTree.of([[min(tokens.ends)]], Grammar(labels=("end",), count=1))


def write_reasonings(
    decoding: Decoding,
    prefills: Iterable[tuple[Prefill, float]],
    jobs: Sequence[Job],
    wanted: Callable[[int], bool],
) -> list[Written]:
    """The reasonings of a group of rows, which are decoded side by side.

    prefills  the group's rows after their forward, each with the seconds that this took
    jobs      what the rows' prompts are indices into
    wanted    as in `Judge.stream`; a prompt that is not wanted any more has no entry
    """
    tokens, stopwatch = decoding.checkpoint.tokens, Stopwatch(decoding.work)
    generation = Generation(
        decoding.checkpoint.decoder,
        line_ends=tokens.ends,
        eos=tokens.eos,
        text_of=tokens.text,
        context_tokens=decoding.checkpoint.context_tokens,
    )
    group: list[Job] = []
    for prefill, seconds in prefills:
        stopwatch.seconds += seconds
        for number, at in enumerate(prefill.row.prompts):
            generation.add_text(prefill, number, _samples(jobs[at].prompt))
            group.append(jobs[at])
    state: list[list[Generated]] = []
    states = generation.run(lambda row, number: wanted(group[row].index))
    for latest in stopwatch.timed(states):
        state = latest
    written = []
    for job, samples in zip(group, state, strict=True):
        if any(sample.finish == "cancelled" for sample in samples):
            continue
        texts = [tokens.text_after(job.ids, list(sample.ids[1:])) for sample in samples]
        decoding.work.written += sum(sample.decoded for sample in samples)
        written.append(
            Written(
                job=job,
                texts=tuple(
                    tokens.escaped(up_to_marker(text, job.prompt.grammar.marker)) for text in texts
                ),
                tokens=sum(sample.decoded for sample in samples),
                cut=any(sample.finish == "length" for sample in samples),
                seconds=stopwatch.seconds,
            )
        )
    return written


def reply_of(written: Written, replies: Sequence[Reply]) -> Reply:
    """One reply of a prompt's reasonings, from those behind each of them.

    Its `finish_reason` is "length" where the token limit ended a reasoning and the marker was written for it.
    """
    first = written.prompts[0].text[len(written.job.prompt.text) :]
    mean = averaged(replies)
    return replace(
        mean,
        text=first + mean.text,
        finish_reason="length" if written.cut else mean.finish_reason,
        input_tokens=len(written.job.ids),
        output_tokens=written.tokens + mean.output_tokens,
        latency_s=written.seconds + mean.latency_s,
    )


def _samples(prompt: Prompt) -> list[Prompt]:
    """One prompt per reasoning to write."""
    reasoning = prompt.reasoning or Reasoning()
    return [
        Prompt(
            text=prompt.text,
            grammar=prompt.grammar,
            max_tokens=reasoning.max_tokens,
            stop=(prompt.grammar.marker,),
            temperature=reasoning.temperature,
            seed=reasoning.seed + k,
        )
        for k in range(reasoning.samples)
    ]
