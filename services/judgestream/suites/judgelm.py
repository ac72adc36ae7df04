"""JudgeLM's validation set (arXiv 2310.17631): pairs that GPT-4 scored, without and with a reference answer.

The figures have JudgeLM's names and rules beside ours: the first order alone is compared with the teacher, by
the scores that the judge writes; an unread reply is a tie; averages are over the classes that occur.
"""

from collections.abc import Iterator, Mapping, Sequence

from judgestream.core.formats.base import digest
from judgestream.core.formats.fields import Fields
from judgestream.core.formats.judgelm import convert
from judgestream.core.parsing import parse_strict
from judgestream.core.preference import Preference
from judgestream.core.transforms import STRAIGHT, SWAPPED
from judgestream.core.types import Options, Reading, ReferenceUse, Verdict
from judgestream.evaluation.agreement import agreement
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.position import position
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.pairs import agreement_report, games, hits
from judgestream.suites.report import Cell, Figure, Report, Table

SOURCE = "huggingface.co/datasets/BAAI/JudgeLM-100K"
FILES = (
    Wanted(
        name="pairs",
        pattern="judgelm_val_5k.jsonl",
        content="the pairs: question_id, question_body, answer1_body, answer2_body",
        source=SOURCE,
    ),
    Wanted(
        name="teacher",
        pattern="judgelm_val_5k_gpt4.jsonl",
        content="GPT-4's judgements without the reference, in the pairs' order: text",
        source=SOURCE,
    ),
    Wanted(
        name="references",
        pattern="judgelm_val_5k_references.jsonl",
        content="the reference answers, in the pairs' order: reference.text",
        source=SOURCE,
        required=False,
    ),
    Wanted(
        name="teacher_with_reference",
        pattern="judgelm_val_5k_gpt4_with_reference.jsonl",
        content="GPT-4's judgements with the reference, in the pairs' order: text",
        source=SOURCE,
        required=False,
    ),
)


def items(tables: Tables) -> Iterator[Item]:
    """Each pair without the reference, and with it where the files have both it and its judgements."""
    pairs, teacher = tables["pairs"], tables["teacher"]
    _aligned(pairs, teacher)
    references = tables.get("references", ())
    informed = tables.get("teacher_with_reference", ())
    if bool(references) != bool(informed):
        (references or informed)[0].reject(
            "text",
            "needs both judgelm_val_5k_references.jsonl and judgelm_val_5k_gpt4_with_reference.jsonl",
        )
    if references:
        _aligned(pairs, references)
        _aligned(pairs, informed)
    for number, row in enumerate(pairs):
        yield _item(row, number, teacher[number], None)
        if references:
            text = references[number].inner("reference").text("text")
            yield _item(row, number, informed[number], text)


def _aligned(pairs: Sequence[Fields], others: Sequence[Fields]) -> None:
    """Files belong together line by line; where both have ids these must agree."""
    if len(pairs) != len(others):
        others[-1 if others else 0].reject(
            "question_id", f"the file has {len(others)} rows, not {len(pairs)} as the pairs"
        )
    for row, other in zip(pairs, others, strict=True):
        ids = row.identity("question_id"), other.identity("question_id")
        if None not in ids and ids[0] != ids[1]:
            other.reject(
                "question_id", f"is {ids[1]}, and that of the pair in this line is {ids[0]}"
            )


def _item(row: Fields, number: int, teacher: Fields, reference: str | None) -> Item:
    draft = convert(row)
    used = reference is not None
    scores = parse_strict(teacher.text("text"))
    return Item(
        key=f"{number + 1}-{'with' if used else 'without'}",
        request=request(
            "pairwise",
            draft.question,
            draft.candidates,
            reference=reference,
            options=Options(reference_use=ReferenceUse.AUTO if used else ReferenceUse.NEVER),
        ),
        cluster=digest(draft.question, length=16),
        gold=None if -1.0 in scores else Preference.between(*scores),
        facts={"reference": "with" if used else "without"},
    )


def written(verdict: Verdict) -> tuple[Preference | None, Preference | None]:
    """What the scores written in each order prefer, in candidate order; of a judge that writes none, its
    probabilities."""
    orders: dict[bool, Preference] = {}
    for one in verdict.passes:
        reading = one.reading
        swapped = one.transform.order == SWAPPED.order
        if not isinstance(reading, Reading) or one.transform.order not in (
            STRAIGHT.order,
            SWAPPED.order,
        ):
            continue
        if len(reading.greedy) == 2:
            orders[swapped] = Preference.between(*reading.greedy)
        elif reading.win is not None and reading.lose is not None:
            orders[swapped] = Preference.between(reading.win, reading.lose)
    return orders.get(False), orders.get(True)


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    found = agreement_report(games(judged), choices, by="reference", wanted=len(judged))
    rows = [
        (name, *evaluated(own))
        for name in ("without", "with")
        if (own := [one for one in judged if one.item.facts["reference"] == name])
    ]
    table = Table(title="by JudgeLM's evaluator", head=("reference", *NAMES), rows=tuple(rows))
    return Report(figures=found.figures, tables=(table, *found.tables))


NAMES = (
    *("total_num", "accuracy", "precision", "recall", "f1"),
    *("consistency", "perfer_before_rate", "perfer_after_rate", "delta_bias", "unread"),
)
"""The keys of JudgeLM's `eval_model_judgement.py` (its spelling), and the orders that are ties unread."""


def evaluated(judged: Sequence[Judged]) -> tuple[Cell, ...]:
    """The figures of `NAMES`. Only the first order enters agreement; an unread order is a tie."""
    rows = [
        (one.item.gold, *written(one.verdict))
        for one in judged
        if one.item.gold is not None and one.verdict is not None and one.verdict.passes
    ]
    straight = [said or Preference.TIE for _, said, _ in rows]
    swapped = [said or Preference.TIE for *_, said in rows]
    compared = agreement([gold for gold, *_ in rows], straight)
    places = position(straight, swapped)
    unread = sum((first is None) + (second is None) for _, first, second in rows)
    macro = compared.judgelm
    shares = (compared.accuracy, macro.precision, macro.recall, macro.f1)
    biases = (
        places.consistency,
        places.bias_toward_first,
        places.bias_toward_second,
        places.delta_bias,
    )
    return (
        compared.n,
        *(Figure(name="share", value=value) for value in (*shares, *biases)),
        unread,
    )


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    return hits(games(judged), choices)


SUITE = Suite(
    name="judgelm",
    title="JudgeLM's validation set: pairs scored by GPT-4, without and with a reference",
    paper="arXiv 2310.17631",
    files=FILES,
    items=items,
    report=report,
    values=values,
    rule=OrderRule.AVERAGED,
    unreadable=UnreadableRule.TIE,
)
