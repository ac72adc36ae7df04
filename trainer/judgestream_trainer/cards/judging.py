"""Judging of held-out examples on the same path as serving: plan, read, settle."""

from collections.abc import Sequence
from dataclasses import dataclass

from judgestream.core.limits import EARLIEST
from judgestream.core.modes import PAIRWISE, SINGLE, Mode, for_template, plan
from judgestream.core.parsing import UNPARSED, parse_strict
from judgestream.core.preference import Preference
from judgestream.core.prompt import Prompt
from judgestream.core.reconcile import reading_preference
from judgestream.core.settling.reward import METHOD
from judgestream.core.templates import template
from judgestream.core.types import (
    Candidate,
    Options,
    PassResult,
    Reading,
    ReferenceUse,
    Reply,
    Request,
    Status,
    Unread,
    Unreadable,
)
from judgestream.engine.judge import Judge
from judgestream.evaluation.pair_outcome import PairOutcome
from judgestream.evaluation.summary import Share, share
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.split import normalised
from judgestream_trainer.tasks.base import Item


@dataclass(frozen=True, kw_only=True, slots=True)
class SingleFigures:
    """Figures of the single form: every answer scored alone against the reference.

    n           items, each with two answers
    ranked      share of the untied items whose better answer gets the higher expected score
    error       mean absolute error of the expected score, in points of the 1 to 10 scale
    unreadable  share of the replies
    """

    n: int
    ranked: Share
    error: float
    unreadable: float


def request_of(
    shown: Item | Example, mode: Mode = PAIRWISE, *, answer: int = 0, options: Options | None = None
) -> Request:
    """The example as a request: candidates `a` and `b`, or only one of them in single mode."""
    example = shown.example if isinstance(shown, Item) else shown
    chosen = example.answers if mode is PAIRWISE else (example.answers[answer],)
    return Request(
        request_id=example.id,
        mode=mode.name,
        question=example.question,
        candidates=tuple(
            Candidate(id=name, text=text) for name, text in zip("ab", chosen, strict=False)
        ),
        requested_at=EARLIEST,
        reference=example.reference,
        options=options or Options(),
    )


def truth_of(example: Example, *, with_reference: bool) -> Preference:
    """The ground truth: by the judgement for this format if there is one, otherwise by the other one.

    JudgeLM's ground truth with reference is that of a teacher who saw it. A computed truth holds for both.
    """
    informed, blind = example.informed, example.blind
    judgement = (informed or blind) if with_reference else (blind or informed)
    if judgement is None:  # unreachable: Example requires one
        raise AssertionError(f"example {example.id!r} has no judgement")
    return Preference.between(*judgement.scores)


def judge_pairs(
    judge: Judge, shown: Sequence[Item | Example], *, with_reference: bool
) -> list[PairOutcome]:
    """Judge every example in both orders; an example without a reference is always judged without."""
    use = ReferenceUse.AUTO if with_reference else ReferenceUse.NEVER
    examples = [item.example if isinstance(item, Item) else item for item in shown]
    # items of a task family are independent draws, even if they share a question
    clusters = ["" if isinstance(item, Item) else normalised(item.question) for item in shown]
    requests = [request_of(example, options=Options(reference_use=use)) for example in examples]
    results = run_passes(judge, requests, PAIRWISE)
    mode = for_template(PAIRWISE, template(judge.checkpoint.manifest.template_id))
    return [
        _judged(
            example,
            request,
            mode,
            passes,
            truth=truth_of(example, with_reference=with_reference),
            cluster=cluster,
        )
        for example, request, passes, cluster in zip(
            examples, requests, results, clusters, strict=True
        )
    ]


def run_passes(
    judge: Judge, requests: Sequence[Request], mode: Mode
) -> list[tuple[PassResult, ...]]:
    """The passes of every request, as a worker would run them, in one call of the judge."""
    family = template(judge.checkpoint.manifest.template_id)
    plans = [plan(request, mode, family) for request in requests]
    prompts = [
        Prompt(text=p.prompt, grammar=p.grammar, max_tokens=p.max_tokens)
        for passes in plans
        for p in passes
    ]
    replies = iter(judge.read(prompts))
    results: list[tuple[PassResult, ...]] = []
    for passes in plans:
        row: list[PassResult] = []
        for planned in passes:
            reply = next(replies)
            if isinstance(reply, Exception):
                unread = Unreadable(reason=Unread.UNPARSABLE, detail=str(reply))
                result = PassResult(
                    transform=planned.transform, reading=unread, reply=Reply(text="")
                )
            else:
                result = planned.result(reply)
            row.append(result)
        results.append(tuple(row))
    return results


def judge_singles(judge: Judge, items: Sequence[Item]) -> SingleFigures:
    """Score both answers of every item alone, with the reference as answer 1 (JudgeLM's single form)."""
    requests = [request_of(item, SINGLE, answer=k) for item in items for k in (0, 1)]
    results = run_passes(judge, requests, SINGLE)
    means = [r.reading.means[0] if isinstance(r.reading, Reading) else None for (r,) in results]
    ranked = untied = 0
    errors: list[float] = []
    for item, first, second in zip(items, means[::2], means[1::2], strict=True):
        if first is None or second is None:
            continue
        errors += [abs(first - item.scores[0]), abs(second - item.scores[1])]
        if item.truth:
            untied += 1
            ranked += Preference.between(first, second) is item.truth
    return SingleFigures(
        n=len(items),
        ranked=share(ranked, untied),
        error=sum(errors) / len(errors),
        unreadable=sum(mean is None for mean in means) / len(means),
    )


def _judged(
    example: Example,
    request: Request,
    mode: Mode,
    passes: Sequence[PassResult],
    *,
    truth: Preference,
    cluster: str,
) -> PairOutcome:
    settled = mode.settle(request, passes)
    readings = [r.reading if isinstance(r.reading, Reading) else None for r in passes]
    verdict = None
    if settled.status is Status.SCORED:
        verdict = Preference.of_winner(settled.winner, ("a", "b"))
    orders = _both_orders(passes, readings)
    if settled.method == METHOD:
        # the answers are never seen together, so every order and every rule gives the verdict
        orders = (verdict,) * 4
    straight, swapped, greedy_straight, greedy_swapped = orders
    first, second = map(len, example.answers)
    return PairOutcome(
        group=example.group,
        truth=truth,
        verdict=verdict,
        straight=straight,
        swapped=swapped,
        confidence=settled.confidence or 0.0,
        greedy_straight=greedy_straight,
        greedy_swapped=greedy_swapped,
        longer=Preference.between(first, second),
        outside=max((r.outside for r in readings if r is not None), default=1.0),
        cluster=cluster,
    )


def _both_orders(
    passes: Sequence[PassResult], readings: Sequence[Reading | None]
) -> tuple[Preference | None, Preference | None, Preference | None, Preference | None]:
    """The straight and the swapped order's preference, by their probabilities and by their score lines."""
    straight, swapped = (
        None if r is None or r.win is None else reading_preference(r) for r in readings
    )
    first, second = (greedy_preference(result.reply.text) for result in passes)
    return straight, swapped, first, None if second is None else second.mirrored


def greedy_preference(text: str) -> Preference | None:
    """The preference that JudgeLM's own evaluator reads from a reply, in the order shown; None without one.

    It is read from the text alone, as for JudgeLM's published figures, regardless of the probability outside
    the grammar.
    """
    scores = parse_strict(text)
    if scores == UNPARSED:
        return None
    return Preference.between(*scores)
