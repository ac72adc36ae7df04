"""A judge's figures on held-out items, through the same path as serving: plan, read, settle."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from judgestream.core.modes import PAIRWISE, SINGLE, Mode, plan
from judgestream.core.parsing import read
from judgestream.core.reconcile import reading_preference
from judgestream.core.stats.intervals import wilson_score
from judgestream.core.stats.position import position
from judgestream.core.templates import JUDGELM
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
from judgestream.engine.prompt import Prompt
from trainer.tasks.base import Item

WHEN = datetime(2000, 1, 1, tzinfo=UTC)  # nothing here depends on the time of a request


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """One item as it was judged. Preferences are +1, 0, -1 in the item's order; None: unreadable.

    confidence  probability of the settled outcome; longer: +1 when the first answer has more characters
    """

    family: str
    group: str
    truth: int
    verdict: int | None
    straight: int | None
    swapped: int | None
    confidence: float
    longer: int
    outside: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Share:
    """`count / n` with its 95 % Wilson interval."""

    count: int
    n: int
    share: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Figures:
    """What the card says about one set of items. All shares are of items, 0 to 1.

    accuracy           three-way, of the settled verdict (both orders averaged)
    decided_accuracy   the same over the items whose truth is not a tie; None without any
    consistency        straight and swapped orders decide alike; toward_*: the rest, by where they lean
    longer_is_better, shorter_is_better   accuracy where the better answer has more, or fewer, characters
    ece                expected calibration error of the verdict's confidence, ten equal bins
    unreadable         share with an unreadable reply: in no other figure
    """

    n: int
    accuracy: Share
    decided_accuracy: Share | None
    consistency: Share
    toward_first: float
    toward_second: float
    longer_is_better: Share | None
    shorter_is_better: Share | None
    ece: float
    unreadable: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SingleFigures:
    """The single form: every answer scored alone against the reference.

    ranked      share of untied items whose better answer got the higher expected score
    error       mean absolute error of the expected score, in points of the 1 to 10 scale
    """

    n: int
    ranked: Share
    error: float
    unreadable: float


def request_of(
    item: Item, mode: Mode = PAIRWISE, *, answer: int = 0, options: Options | None = None
) -> Request:
    """The item as a request: candidates `a` and `b`, or only one of them in single mode."""
    chosen = item.answers if mode is PAIRWISE else (item.answers[answer],)
    return Request(
        request_id=item.id,
        mode=mode.name,
        question=item.question,
        candidates=tuple(
            Candidate(id=name, text=shown.text) for name, shown in zip("ab", chosen, strict=False)
        ),
        requested_at=WHEN,
        reference=item.reference,
        options=options or Options(),
    )


def judge_pairs(judge: Judge, items: Sequence[Item], *, with_reference: bool) -> list[Judged]:
    """Judge every item in both orders."""
    use = ReferenceUse.AUTO if with_reference else ReferenceUse.NEVER
    requests = [request_of(item, options=Options(reference_use=use)) for item in items]
    results = run_passes(judge, requests, PAIRWISE)
    return [_judged(*row) for row in zip(items, requests, results, strict=True)]


def run_passes(
    judge: Judge, requests: Sequence[Request], mode: Mode
) -> list[tuple[PassResult, ...]]:
    """Every request's passes as the worker would run them, in one call of the judge."""
    plans = [plan(request, mode, JUDGELM) for request in requests]
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
                reading: Reading | Unreadable = Unreadable(
                    reason=Unread.UNPARSABLE, detail=str(reply)
                )
                reply = Reply(text="")
            else:
                reading = planned.transform.restore(read(reply, planned.grammar))
            row.append(PassResult(name=planned.name, reading=reading, reply=reply))
        results.append(tuple(row))
    return results


def figures(judged: Sequence[Judged]) -> Figures:
    """The card's figures of one set; ValueError when nothing in it could be read."""
    scored = [j for j in judged if j.verdict is not None]
    if not scored:
        raise ValueError(f"none of {len(judged)} items could be read")
    where = position([j.straight for j in judged], [j.swapped for j in judged])
    decided = [j for j in scored if j.truth]
    return Figures(
        n=len(judged),
        accuracy=_right(scored),
        decided_accuracy=_right(decided) if decided else None,
        consistency=share(where.consistent, len(scored)),
        toward_first=where.toward_first / len(scored),
        toward_second=where.toward_second / len(scored),
        longer_is_better=_right_if([j for j in decided if j.truth == j.longer]),
        shorter_is_better=_right_if([j for j in decided if j.truth == -j.longer]),
        ece=calibration_error(
            [j.confidence for j in scored], [j.verdict == j.truth for j in scored]
        ),
        unreadable=1 - len(scored) / len(judged),
    )


def judge_singles(judge: Judge, items: Sequence[Item]) -> SingleFigures:
    """Score both answers of every item alone, with the reference as JudgeLM's forced answer 1."""
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
            ranked += (first > second) - (first < second) == item.truth
    return SingleFigures(
        n=len(items),
        ranked=share(ranked, untied),
        error=sum(errors) / len(errors),
        unreadable=sum(mean is None for mean in means) / len(means),
    )


def calibration_error(confidences: Sequence[float], correct: Sequence[bool]) -> float:
    """Expected calibration error over ten equal-width bins (Naeini et al. 2015; Guo et al. 2017)."""
    bins: dict[int, list[tuple[float, bool]]] = {}
    for confidence, hit in zip(confidences, correct, strict=True):
        bins.setdefault(min(9, int(confidence * 10)), []).append((confidence, hit))
    gaps = (abs(sum(c for c, _ in rows) - sum(h for _, h in rows)) for rows in bins.values())
    return sum(gaps) / len(confidences)


def share(count: int, n: int) -> Share:
    interval = wilson_score(count, n)
    return Share(count=count, n=n, share=count / n, low=interval.low, high=interval.high)


def _right(judged: Sequence[Judged]) -> Share:
    return share(sum(j.verdict == j.truth for j in judged), len(judged))


def _right_if(judged: Sequence[Judged]) -> Share | None:
    return _right(judged) if judged else None


def _judged(item: Item, request: Request, passes: Iterable[PassResult]) -> Judged:
    results = tuple(passes)
    settled = PAIRWISE.settle(request, results)
    sides = [
        reading_preference(r.reading) if isinstance(r.reading, Reading) else None for r in results
    ]
    lengths = [len(answer.text) for answer in item.answers]
    verdict = None
    if settled.status is Status.SCORED:
        verdict = {"a": 1, "": 0, "b": -1}[settled.winner]
    return Judged(
        family=item.family,
        group=item.group,
        truth=item.truth,
        verdict=verdict,
        straight=sides[0],
        swapped=sides[1],
        confidence=settled.confidence or 0.0,
        longer=(lengths[0] > lengths[1]) - (lengths[0] < lengths[1]),
        outside=max(
            (r.reading.outside for r in results if isinstance(r.reading, Reading)), default=1
        ),
    )
