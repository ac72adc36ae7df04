"""JudgeBench (arXiv 2410.12784): a right and a wrong answer of one model to a hard, verifiable question.

A pair counts as correct if the sum over both orders favours the right answer: right and right, or right and a
tie. An order that was not read adds nothing, like a tie.
"""

from collections.abc import Iterator, Mapping, Sequence

from judgestream.core.formats.base import pair_of
from judgestream.core.formats.fields import Fields
from judgestream.core.preference import Preference
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.pairs import Game, agreement_report, games, hits
from judgestream.suites.report import Report

SOURCE = "github.com/ScalerLab/JudgeBench"
FILES = (
    Wanted(
        name="pairs",
        pattern="data/*.jsonl",
        content="the pairs: pair_id, source, question, response_A, response_B, label",
        source=f"{SOURCE}, data/, or huggingface.co/datasets/ScalerLab/JudgeBench",
    ),
    Wanted(
        name="outputs",
        pattern="outputs/*.jsonl",
        content="judgements of one published judge: the pairs with judge_name and judgments",
        source=f"{SOURCE}, outputs/",
        required=False,
    ),
)
AREAS: Mapping[str, str] = {
    "mmlu-pro": "knowledge",
    "livebench-reasoning": "reasoning",
    "livebench-math": "math",
    "livecodebench": "coding",
}
"""The paper's areas, by the beginning of a pair's source."""
_LABELS = {"A>B": Preference.FIRST, "B>A": Preference.SECOND, "A=B": Preference.TIE}


def items(tables: Tables) -> Iterator[Item]:
    return map(_item, tables["pairs"])


def _item(row: Fields) -> Item:
    label = _LABELS.get(row.text("label"))
    if not label:
        row.reject("label", f"is {row.text('label')[:40]!r}: must be A>B or B>A")
    system = row.name("response_model")
    identity = row.identity("pair_id")
    if identity is None:
        row.reject("pair_id", "is missing, and items are named by it")
    return Item(
        key=identity,
        request=request(
            "pairwise",
            row.text("question"),
            pair_of([row.text("response_A"), row.text("response_B")], (system, system)),
        ),
        cluster=row.identity("original_id") or identity,
        gold=label,
        facts={"area": area(row.name("source")), "model": system},
    )


def area(source: str) -> str:
    return next((name for prefix, name in AREAS.items() if source.startswith(prefix)), source)


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    return agreement_report(games(judged), choices, by="area", wanted=len(judged))


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    return hits(games(judged), choices)


def published_games(rows: Sequence[Fields]) -> list[Game]:
    """Published judgements; the second one is of the exchanged order, and names sides as they were shown."""
    found = []
    for row in rows:
        item = _item(row)
        decisions = [_decision(row, one) for one in row.items("judgments")]
        straight, swapped, *_ = (*decisions, None, None)
        found.append(
            Game(
                key=item.key,
                cluster=item.cluster,
                gold=item.gold,
                straight=straight,
                swapped=None if swapped is None else swapped.mirrored,
                facts=item.facts,
            )
        )
    return found


def _decision(row: Fields, judgment: object) -> Preference | None:
    """None for a judgement that is missing or was not read."""
    if not isinstance(judgment, dict):
        return None
    return _LABELS.get(row.nested("judgments", judgment).optional_text("decision") or "")


def published(tables: Tables) -> Report:
    played = published_games(tables.get("outputs", ()))
    return agreement_report(played, SUITE.choices, by="area") if played else Report()


SUITE = Suite(
    name="judgebench",
    title="JudgeBench: a right and a wrong answer of one model to a hard question",
    paper="arXiv 2410.12784",
    files=FILES,
    items=items,
    report=report,
    values=values,
    rule=OrderRule.JUDGEBENCH,
    unreadable=UnreadableRule.TIE,
    published=published,
)
