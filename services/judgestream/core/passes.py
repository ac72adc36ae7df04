"""Passes: one prompt to one judge each, and the reply mapped back to the request's candidate order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from judgestream.core.parsing import explanation_of, read
from judgestream.core.templates.base import TEXT, Grammar, Reasoning
from judgestream.core.transforms import Transform
from judgestream.core.types import Image, PassResult, Reading, Reply, Unreadable


@dataclass(frozen=True, kw_only=True, slots=True)
class Pass:
    """One prompt to one judge.

    max_tokens  of the explanation behind the scores, or of a text; 0 unless this pass also writes one
    reasoning   what the judge writes before its scores; None: it begins with them
    images      of the prompt's placeholders, in their order
    reusable    its text depends on nothing but the question, so other requests may use it
    because_unsure   see `PassResult`
    """

    transform: Transform
    prompt: str
    grammar: Grammar
    max_tokens: int = 0
    reasoning: Reasoning | None = None
    images: tuple[Image, ...] = ()
    reusable: bool = False
    because_unsure: bool = False

    @property
    def is_text(self) -> bool:
        """Whether the whole reply is a text, without scores."""
        return self.grammar == TEXT

    def result(self, reply: Reply) -> PassResult:
        """The reply to this prompt, parsed and mapped back to the request's candidate order.

        The reading of a text is empty.
        """
        reading = (
            Reading(means=(), greedy=())
            if self.is_text
            else restored(read(reply, self.grammar), self.transform)
        )
        return PassResult(
            transform=self.transform,
            reading=reading,
            reply=reply,
            grammar=self.grammar,
            because_unsure=self.because_unsure,
        )


def explanation_in(result: PassResult) -> str:
    """The text beside the scores of a pass."""
    grammar = result.grammar
    return "" if grammar is None else explanation_of(result.reply.text, grammar)


def restored(reading: Reading | Unreadable, transform: Transform) -> Reading | Unreadable:
    """A reading by shown position, mapped back to the request's order of the shown candidates.

    Raises:
        ValueError: a preference between two candidates, where the transform shows another number.
    """
    if isinstance(reading, Unreadable) or transform.straight:
        return reading
    means = transform.invert(reading.means) if reading.means else ()
    greedy = transform.invert(reading.greedy) if reading.greedy else ()
    if reading.win is None:
        p_best = transform.invert(reading.p_best) if reading.p_best else ()
        return replace(reading, means=means, greedy=greedy, p_best=p_best)
    if len(transform.order) != 2:
        raise ValueError(f"a preference is between two candidates, not {len(transform.order)}")
    return replace(reading, means=means, greedy=greedy, win=reading.lose, lose=reading.win)


def reversed_pairs(passes: Sequence[PassResult]) -> Iterator[tuple[PassResult, PassResult]]:
    """Every two passes of one judge that show the same candidates in reversed order and are alike otherwise.

    The first of the two has the smaller order: of two candidates, straight comes before swapped.
    """
    by_judge = {(result.release, result.transform): result for result in passes}
    for result in passes:
        other = by_judge.get((result.release, result.transform.reversed))
        if other is not None and result.transform.order < other.transform.order:
            yield result, other
