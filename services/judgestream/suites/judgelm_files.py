"""JudgeLM's files beyond its validation set (arXiv 2310.17631), in the modes that they allow.

Training records have the teacher's judgements inside: `score` is that of the pair without the reference,
`score_w_reference` that with it. The pairing script's output may have more than two answers, and files of
answers are joined into the same. What is judged, by fact `mode`: pairs (`pairwise`), the same as one-turn
conversations (`multi_turn`), each answer alone beside the reference (`single`), and all answers in one prompt
(`multi`). JudgeLM's own multi-turn mode is a talk about a judgement (mode `follow_up`), and has no metric.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from statistics import fmean

from judgestream.core.conversation import ASSISTANT, USER, Turn
from judgestream.core.formats.base import Draft, digest
from judgestream.core.formats.fields import Fields
from judgestream.core.formats.judgelm import PAIR, convert
from judgestream.core.preference import Preference
from judgestream.core.types import Candidate, Options, ReferenceUse, Status, Verdict
from judgestream.evaluation.clusters import clustered_mean
from judgestream.evaluation.rank_correlation import pearson
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.judgelm import NAMES, SOURCE, evaluated
from judgestream.suites.pairs import agreement_report, games, hits
from judgestream.suites.report import Figure, Report, Table

FILES = (
    Wanted(
        name="records",
        pattern="records*.jsonl",
        content="training records, or the pairing script's output: question_body, answer1_body, answer2_body,"
        " ...; `score` and `score_w_reference` are the labels of a pair",
        source=f"{SOURCE}, such as judgelm_train_100k.jsonl, under a name that begins with records",
    ),
    Wanted(
        name="answers",
        pattern="answers/*.jsonl",
        content="one file of answers per model: question_id, question_body, model, text",
        source=f"{SOURCE}, answers/",
        required=False,
        least=2,
    ),
)
PAIRWISE, MULTI_TURN, SINGLE, MULTI = "pairwise", "multi_turn", "single", "multi"


def items(tables: Tables) -> Iterator[Item]:
    for row in tables["records"]:
        yield from _of_record(convert(row))
    yield from _of_answers(tables.get("answers", ()))


def _of_record(draft: Draft) -> Iterator[Item]:
    if len(draft.candidates) != PAIR:
        yield _item(draft, MULTI, draft.candidates, reference=draft.reference)
        return
    reference = draft.reference if (draft.reference or "").strip() else None
    for shown in (None, reference) if reference else (None,):
        gold = _gold(draft, shown is not None)
        yield _item(draft, PAIRWISE, draft.candidates, reference=shown, gold=gold)
        talks = [
            replace(
                one,
                text="",
                turns=(
                    Turn(role=USER, text=draft.question),
                    Turn(role=ASSISTANT, text=one.text),
                ),
            )
            for one in draft.candidates
        ]
        yield _item(draft, MULTI_TURN, talks, reference=shown, gold=gold)
    if reference is None:
        return
    graded = [one.scores for one in draft.reviews if one.with_reference and one.scores]
    for k, one in enumerate(draft.candidates):
        teacher = graded[0][k] if graded and graded[0][k] >= 0 else None
        yield _item(
            draft, SINGLE, [replace(one, id="1")], reference=reference, teacher=teacher, slot=str(k)
        )


def _gold(draft: Draft, with_reference: bool) -> Preference | None:
    """The teacher's preference, from the judgement that saw the reference, or from the one that did not."""
    for vote in draft.votes:
        if vote.with_reference is with_reference:
            return Preference.of_winner(vote.winner, [one.id for one in draft.candidates])
    return None


def _item(
    draft: Draft,
    mode: str,
    candidates: Sequence[Candidate],
    *,
    reference: str | None,
    gold: Preference | None = None,
    teacher: float | None = None,
    slot: str = "",
) -> Item:
    used = "with" if reference else "without"
    use = ReferenceUse.AUTO if reference else ReferenceUse.NEVER
    return Item(
        key="-".join(filter(None, (draft.name, mode, used, slot))),
        request=request(
            mode,
            "" if mode == MULTI_TURN else draft.question,
            candidates,
            reference=reference,
            options=Options(reference_use=use),
        ),
        cluster=digest(draft.question, length=16),
        unit=draft.name,
        gold=gold,
        facts={
            "mode": mode,
            "reference": used,
            "teacher": "" if teacher is None else str(teacher),
        },
    )


def _of_answers(rows: Sequence[Fields]) -> Iterator[Item]:
    """The answers to one question, in one prompt, as the pairing script puts them into one record."""
    by_question: dict[str, list[Fields]] = {}
    for row in rows:
        number = row.identity("question_id")
        if number is None:
            row.reject("question_id", "is missing, and the files of answers are joined by it")
        by_question.setdefault(number, []).append(row)
    for number, own in by_question.items():
        question = own[0].text("question_body")
        for row in own:
            if row.text("question_body") != question:
                row.reject("question_body", f"is not that of the other files' question {number}")
        candidates = [
            Candidate(id=str(k), text=row.text("text"), system=row.text("model"))
            for k, row in enumerate(own, start=1)
        ]
        draft = Draft(
            name=f"answers-{number}", question=question, candidates=tuple(candidates), mode=MULTI
        )
        if len(own) < PAIR:
            own[0].reject("question_id", f"is {number}, which only one file has: give two or more")
        yield _item(draft, MULTI, candidates, reference=None)


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    paired = _of_mode(judged, PAIRWISE)
    found = agreement_report(games(paired), choices, by="reference", wanted=len(paired))
    rows = tuple(
        (mode, used, *evaluated(own))
        for mode in (PAIRWISE, MULTI_TURN)
        for used in ("without", "with")
        if (own := [one for one in _of_mode(judged, mode) if one.item.facts["reference"] == used])
    )
    evaluator = Table(title="by JudgeLM's evaluator", head=("mode", "reference", *NAMES), rows=rows)
    return Report(
        figures=(*found.figures, *_grades(_of_mode(judged, SINGLE))),
        tables=(evaluator, *_together(_of_mode(judged, MULTI)), *found.tables),
        notes=found.notes,
    )


def _of_mode(judged: Sequence[Judged], mode: str) -> list[Judged]:
    return [one for one in judged if one.item.facts["mode"] == mode]


def _scored(judged: Judged) -> Verdict | None:
    verdict = judged.verdict
    return verdict if verdict is not None and verdict.status is Status.SCORED else None


def _grades(judged: Sequence[Judged]) -> tuple[Figure, ...]:
    """Single scores beside the teacher's of the pair with the reference."""
    rows = [
        (float(one.item.facts["teacher"]), verdict.scores[0].score, one.item.cluster)
        for one in judged
        if one.item.facts["teacher"] and (verdict := _scored(one)) is not None and verdict.scores
    ]
    read = [(a, b, cluster) for a, b, cluster in rows if b is not None]
    distance = clustered_mean(
        [abs(a - b) for a, b, _ in read],
        [cluster for *_, cluster in read],
        highest=max([9.0, *(abs(a - b) for a, b, _ in read)]),
    )
    r = pearson([a for a, *_ in read], [b for _, b, _ in read])
    return (
        Figure.of("single_distance_to_teacher", distance, percent=False),
        Figure(name="single_pearson_with_teacher", value=r, n=len(read), percent=False),
    )


def _together(judged: Sequence[Judged]) -> tuple[Table, ...]:
    """Answers that were judged in one prompt: each system's mean score and share of best answers."""
    scores: dict[str, list[tuple[float, float]]] = {}
    for one in judged:
        verdict = _scored(one)
        if verdict is None:
            continue
        names = {c.id: c.system or c.id for c in one.item.request.candidates}
        top = max((s.score for s in verdict.scores if s.score is not None), default=None)
        best = [s for s in verdict.scores if s.score is not None and s.score == top]
        for score in verdict.scores:
            if score.score is not None:
                share = 1.0 / len(best) if score.score == top else 0.0
                scores.setdefault(names[score.candidate_id], []).append((score.score, share))
    if not judged:
        return ()
    rows = tuple(
        (name, len(own), fmean(score for score, _ in own), fmean(share for _, share in own))
        for name, own in sorted(scores.items())
    )
    return (
        Table(
            title="answers in one prompt",
            head=("system", "n", "mean score", "best"),
            rows=rows,
            plot="mean score",
        ),
    )


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    """Agreement with the teacher, per pair."""
    return hits(games(_of_mode(judged, PAIRWISE)), choices)


SUITE = Suite(
    name="judgelm-files",
    title="JudgeLM's records and answers: pairs, conversations, single answers and several in one prompt",
    paper="arXiv 2310.17631",
    files=FILES,
    items=items,
    report=report,
    values=values,
)
