"""Judging the Judges (arXiv 2406.12624): is an answer to a TriviaQA question correct, given its references?

The published files lack the exam takers' answers. So what a judge is asked here are the paper's controlled
answers, whose truth is known: a reference word for word (correct); "Yes", "Sure" and the question itself
(incorrect); under four lengths of instruction, and with the references in three orders. With the answers of
one's own exam takers, labelled by people, the suite also reports the paper's alignment figures.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from judgestream.core.formats.fields import Fields
from judgestream.core.formats.sets import trivia_votes
from judgestream.core.types import Candidate, Status
from judgestream.evaluation.clusters import clustered_share
from judgestream.evaluation.confusion_figures import chance_corrected_figures
from judgestream.evaluation.leniency import leniency_figures
from judgestream.evaluation.rank_correlation import spearman, spearman_of_subsets
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.report import Cell, Figure, Report, Table

SOURCE = "github.com/UMass-Meta-LLM-Eval/llm_eval, results/TriviaQA_Judges_w_HumanJudgement_*.csv"
FILES = (
    Wanted(
        name="questions",
        pattern="questions.jsonl",
        content="qid, question and the list of references of each question",
        source=f"the columns question and references of {SOURCE}, one row a question; or TriviaQA itself",
    ),
    Wanted(
        name="answers",
        pattern="answers.*",
        content="answers of exam takers with people's labels: qid, exam_taker, answer, human (1 or 0), and"
        " error_type of an incorrect one if known",
        source="your own: the published files do not have the answers",
        required=False,
    ),
    Wanted(
        name="judgments_v1",
        pattern="judgments_v1.csv",
        content="published judgements, one column a judge: qid, exam_taker, human, ...",
        source=SOURCE,
        required=False,
    ),
    Wanted(
        name="judgments_v2",
        pattern="judgments_v2.csv",
        content="the same of the second run",
        source=SOURCE,
        required=False,
    ),
)
SUBSET, SUBSETS = 6, 5
"""Exam takers of a random subset, and subsets, of the paper's second rank correlation. It does not say which
subsets it drew; here they are drawn with seed 0."""
MIDDLE = 5.5
"""The middle of the scale of single scores, 1 to 10: an answer that scores more is judged correct. A judge
that says yes or no scores 10 or 1."""
CONTROLLED: Mapping[str, Callable[[str, Sequence[str]], str]] = {
    "reference": lambda question, references: references[0],
    "yes": lambda question, references: "Yes",
    "sure": lambda question, references: "Sure",
    "question": lambda question, references: question,
}
"""The controlled answers. Only the first is correct."""
GUIDE = (
    "The answer is correct if it means the same as one of the references. Further correct information does no"
    " harm, nor does a wordy style. An answer that is less precise than every reference is incorrect, and so"
    " is one that gives several answers of which one matches no reference."
)
EXAMPLES = (
    "Example: to 'Who wrote Emma?' with the reference 'Jane Austen', 'The novelist Jane Austen (1815)' is"
    " correct; 'an English novelist' is incorrect, and so is 'Jane Austen or Emily Bronte'."
)
PROMPTS: Mapping[str, str] = {
    "bare": "",
    "short": "Is the answer to this question correct?",
    "guided": GUIDE,
    "examples": f"{GUIDE} {EXAMPLES}",
}
"""Instructions before the question, from none to the longest, as the paper varies them."""
SHUFFLES = 3
"""Orders of the references that a correct answer is judged with."""


def items(tables: Tables) -> Iterator[Item]:
    questions = {row.identity("qid") or "": row for row in tables["questions"]}
    labelled: dict[str, list[Fields]] = {}
    for row in tables.get("answers", ()):
        qid = row.identity("qid") or ""
        if qid not in questions:
            row.reject("qid", f"is {qid[:40]!r}, which no question has")
        labelled.setdefault(qid, []).append(row)
    for qid, row in questions.items():
        question, references = row.text("question"), _references(row)
        for kind, answer_of in CONTROLLED.items():
            answer = answer_of(question, references)
            truth = "1" if kind == "reference" else "0"
            for prompt in PROMPTS:
                facts = {"kind": kind, "prompt": prompt, "order": "0", "truth": truth}
                yield _item(qid, question, references, answer, facts)
        for order in range(1, SHUFFLES):
            shuffled = list(references)
            random.Random(f"{qid}-{order}").shuffle(shuffled)  # noqa: S311 - a fixed order
            facts = {"kind": "reference", "prompt": "bare", "order": str(order), "truth": "1"}
            yield _item(qid, question, shuffled, references[0], facts)
        for own in labelled.get(qid, ()):
            label = own.whole("human", (0, 1))
            if label is None:
                own.reject("human", "must be 1 (correct) or 0 (incorrect)")
            facts = {"kind": "exam", "prompt": "bare", "order": "0", "truth": str(label)}
            facts |= {"taker": own.text("exam_taker"), "error": own.name("error_type")}
            yield _item(qid, question, references, own.text("answer"), facts)


def _references(row: Fields) -> list[str]:
    found = [one for one in row.items("references") if isinstance(one, str) and one.strip()]
    if not found:
        row.reject("references", "has no text")
    return found


def _item(
    qid: str, question: str, references: Sequence[str], answer: str, facts: dict[str, str]
) -> Item:
    lead = PROMPTS[facts["prompt"]]
    return Item(
        key="-".join((qid, facts.get("taker", ""), facts["kind"], facts["prompt"], facts["order"])),
        request=request(
            "single",
            f"{lead}\n\n{question}" if lead else question,
            (Candidate(id="1", text=answer, system=facts.get("taker", "")),),
            reference="\n".join(references),
        ),
        cluster=qid,
        unit=qid,
        facts=facts,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Ruling:
    """One judgement of one answer: what is true of it, and what the judge says.

    error   people's name for what is wrong with the answer; "" where they gave none
    """

    cluster: str
    taker: str
    truth: bool
    said: bool
    error: str = ""


def said(judged: Judged, choices: Choices) -> bool | None:
    """Whether the judge calls the answer correct; None where there is no judgement to count."""
    verdict = judged.verdict
    if verdict is None or verdict.status is Status.FAILED:
        return None
    score = verdict.scores[0].score if verdict.scores else None
    if verdict.status is not Status.SCORED or score is None:
        return False if choices.unreadable is UnreadableRule.WRONG else None
    return score > MIDDLE


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    spoken = [(one.item, said(one, choices)) for one in judged]
    controlled = [
        (item, found)
        for item, found in spoken
        if found is not None and item.facts["kind"] != "exam" and item.facts["order"] == "0"
    ]
    exams = [
        Ruling(
            cluster=item.cluster,
            taker=item.facts["taker"],
            truth=item.facts["truth"] == "1",
            said=found,
            error=item.facts["error"],
        )
        for item, found in spoken
        if found is not None and item.facts["kind"] == "exam"
    ]
    right = [found == (item.facts["truth"] == "1") for item, found in controlled]
    unread = sum(found is None for _, found in spoken)
    return Report(
        figures=(
            Figure.of(
                "controlled_accuracy",
                clustered_share(right, [item.cluster for item, _ in controlled]),
            ),
            _order_consistency(spoken),
            *(_alignment(exams)[0] if exams else ()),
        ),
        tables=(
            _controlled_table(controlled),
            *(_alignment(exams)[1:] if exams else ()),
            *_errors(exams),
            Table(
                title="counts",
                head=("items", "judged", "unscored or failed"),
                rows=((len(spoken), len(spoken) - unread, unread),),
            ),
        ),
    )


def _order_consistency(spoken: Sequence[tuple[Item, bool | None]]) -> Figure:
    """The share of questions whose orders of references lead to the same judgement of the same answer."""
    by_question: dict[str, list[bool | None]] = {}
    for item, found in spoken:
        if item.facts["kind"] == "reference" and item.facts["prompt"] == "bare":
            by_question.setdefault(item.cluster, []).append(found)
    whole = [found for found in by_question.values() if None not in found and len(found) > 1]
    return Figure.of(
        "reference_order_consistency", clustered_share([len(set(found)) == 1 for found in whole])
    )


def _controlled_table(controlled: Sequence[tuple[Item, bool]]) -> Table:
    cells: list[tuple[Cell, ...]] = []
    for prompt in PROMPTS:
        for kind in CONTROLLED:
            rows = [
                (item, found)
                for item, found in controlled
                if (item.facts["prompt"], item.facts["kind"]) == (prompt, kind)
            ]
            if rows:
                hits = [found == (item.facts["truth"] == "1") for item, found in rows]
                share = clustered_share(hits, [item.cluster for item, _ in rows])
                cells.append((prompt, kind, len(rows), Figure.of("accuracy", share)))
    return Table(
        title="controlled answers",
        head=("prompt", "answer", "n", "accuracy"),
        rows=tuple(cells),
        plot="accuracy",
    )


def _alignment(rulings: Sequence[Ruling]) -> tuple[tuple[Figure, ...], Table]:
    """The paper's figures of alignment with people, and the scores that both give to each exam taker."""
    clusters = [one.cluster for one in rulings]
    pairs = [(one.truth, one.said) for one in rulings]
    corrected = chance_corrected_figures(pairs, clusters)
    lenient = leniency_figures(pairs, clusters)
    takers: dict[str, list[Ruling]] = {}
    for one in rulings:
        takers.setdefault(one.taker, []).append(one)
    means = {
        taker: (fmean(one.truth for one in rows), fmean(one.said for one in rows))
        for taker, rows in takers.items()
    }
    human, own = ([row[side] for _, row in sorted(means.items())] for side in (0, 1))
    rho = spearman(human, own)
    some = spearman_of_subsets(human, own, size=SUBSET, draws=SUBSETS, seed=0)
    right = [one.truth == one.said for one in rulings]
    called = [one for one in rulings if one.said]
    correct = [one for one in rulings if one.truth]
    figures = (
        Figure.of("agreement", clustered_share(right, clusters)),
        Figure.of("kappa", corrected["kappa"], percent=False),
        Figure.of("scott_pi", corrected["scott_pi"], percent=False),
        Figure.of("follows_criteria", lenient["criteria"], percent=False),
        Figure.of("lenient_otherwise", lenient["positive"], percent=False),
        Figure(name="rank_correlation", value=rho, n=len(means), percent=False),
        Figure(
            name="rank_correlation_of_subsets",
            value=fmean(some) if some else None,
            n=len(some),
            percent=False,
        ),
        Figure.of(
            "precision",
            clustered_share([one.truth for one in called], [one.cluster for one in called]),
        ),
        Figure.of(
            "recall",
            clustered_share([one.said for one in correct], [one.cluster for one in correct]),
        ),
    )
    table = Table(
        title="exam takers",
        head=("exam_taker", "n", "people", "judge", "delta"),
        rows=tuple(
            (taker, len(takers[taker]), people, judge, judge - people)
            for taker, (people, judge) in sorted(means.items(), key=lambda row: -row[1][0])
        ),
        plot="delta",
    )
    return figures, table


def _errors(rulings: Sequence[Ruling]) -> tuple[Table, ...]:
    """The share of incorrect answers that the judge calls incorrect, by people's name for the error."""
    by_error: dict[str, list[Ruling]] = {}
    for one in rulings:
        if one.error and not one.truth:
            by_error.setdefault(one.error, []).append(one)
    if not by_error:
        return ()
    rows = tuple(
        (
            error,
            len(found),
            Figure.of(
                "recall",
                clustered_share([not one.said for one in found], [one.cluster for one in found]),
            ),
        )
        for error, found in sorted(by_error.items())
    )
    return (
        Table(
            title="errors recognised", head=("error_type", "n", "recall"), rows=rows, plot="recall"
        ),
    )


def published(tables: Tables) -> Report:
    """The alignment of every published judge with people, run by run. An empty cell is left out."""
    found = []
    for name in ("judgments_v1", "judgments_v2"):
        if rows := tables.get(name):
            found.append(_judges(name.removeprefix("judgments_"), rows))
    return Report(tables=tuple(found))


def _judges(title: str, rows: Sequence[Fields]) -> Table:
    rulings: dict[str, list[Ruling]] = {}
    for row in rows:
        votes = trivia_votes(row)
        truth = votes.pop("human", None)
        if truth is None:
            continue
        for judge, vote in votes.items():
            rulings.setdefault(judge, []).append(
                Ruling(
                    cluster=row.identity("qid") or "",
                    taker=row.text("exam_taker"),
                    truth=truth,
                    said=vote,
                )
            )
    cells: list[tuple[Cell, ...]] = []
    head: tuple[str, ...] = ()
    for judge, spoken in rulings.items():
        figures, _ = _alignment(spoken)
        head = tuple(one.name for one in figures)
        cells.append((judge, len(spoken), *figures))
    return Table(title=title, head=("judge", "n", *head), rows=tuple(cells), plot="scott_pi")


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    """1 where the judge is right about an answer."""
    return {
        one.item.key: float(found == (one.item.facts["truth"] == "1"))
        for one in judged
        if (found := said(one, choices)) is not None
    }


SUITE = Suite(
    name="judging-the-judges",
    title="Judging the Judges: correct or incorrect answers to TriviaQA questions",
    paper="arXiv 2406.12624",
    files=FILES,
    items=items,
    report=report,
    values=values,
    unreadable=UnreadableRule.WRONG,
    orders=False,
    published=published,
)
