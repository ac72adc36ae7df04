"""PandaLM's test (arXiv 2306.05087): 999 pairs of answers to 170 instructions, three people each.

The label is the majority of the three. One order is asked, as PandaLM asks it, and a reply that cannot be
read is a tie; other rules ask both orders.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

from judgestream.core.formats.base import Draft, digest
from judgestream.core.formats.fields import Fields
from judgestream.core.formats.pandalm import convert
from judgestream.core.preference import Preference
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.base import Choices, Item, Judged, Recorded, Suite, Tables, Wanted, request
from judgestream.suites.pairs import Game, agreement_report, games, hits
from judgestream.suites.report import Cell, Report, Table

SOURCE = "github.com/WeOpenML/PandaLM, data/"
FILES = (
    Wanted(
        name="pairs",
        pattern="testset-v1.json",
        content="the pairs: instruction, input, response1, response2, annotator1 to annotator3",
        source=SOURCE + "testset-v1.json",
    ),
    Wanted(
        name="pandalm-7b",
        pattern="pandalm-7b-testset-v1.json",
        content="PandaLM-7B's results: idx, pandalm_result",
        source=SOURCE,
        required=False,
    ),
    Wanted(
        name="gpt-3.5-turbo",
        pattern="gpt-3.5-turbo-testset-v1.json",
        content="GPT-3.5's results: idx, gpt_result",
        source=SOURCE,
        required=False,
    ),
)
_RESULTS = {"pandalm-7b": "pandalm_result", "gpt-3.5-turbo": "gpt_result"}
_SIDES = {
    "1": Preference.FIRST,
    "2": Preference.SECOND,
    "0": Preference.TIE,
    "tie": Preference.TIE,
}
_LABELS = {Preference.FIRST: "A", Preference.SECOND: "B", Preference.TIE: "C", None: "garbage"}
_WINNERS = {"1": Preference.FIRST, "2": Preference.SECOND, "": Preference.TIE}


def items(tables: Tables) -> Iterator[Item]:
    for row in tables["pairs"]:
        draft = convert(row)
        yield Item(
            key=_idx(row),
            request=request(draft.mode, draft.question, draft.candidates),
            cluster=digest(draft.question, length=16),
            gold=_majority(draft),
            facts={"systems": draft.metadata.get("cmp_key", "")},
        )


def _idx(row: Fields) -> str:
    found = row.identity("idx")
    if found is None:
        row.reject("idx", "is missing, and results are joined by it")
    return found


def _majority(draft: Draft) -> Preference | None:
    """None where all annotators differ."""
    votes = Counter(_WINNERS[vote.winner] for vote in draft.votes)
    return next((side for side, count in votes.items() if 2 * count > votes.total()), None)


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    return agreement_report(games(judged), choices, by="systems", wanted=len(judged))


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    return hits(games(judged), choices)


def published_games(tables: Tables, judge: str) -> list[Game]:
    said = {_idx(row): row.scalar_text(_RESULTS[judge]).lower() for row in tables.get(judge, ())}
    return [
        Game(
            key=item.key,
            cluster=item.cluster,
            gold=item.gold,
            straight=_SIDES.get(said[item.key].strip()),
            swapped=None,
            facts=item.facts,
        )
        for item in (items(tables) if said and "pairs" in tables else ())
        if item.key in said
    ]


def published(tables: Tables) -> Report:
    """Both published judges, by PandaLM's rules."""
    rows: list[tuple[Cell, ...]] = []
    head: tuple[str, ...] = ()
    for judge in _RESULTS:
        played = published_games(tables, judge)
        if played:
            found = agreement_report(played, SUITE.choices)
            head = tuple(one.name for one in found.figures)
            rows.append((judge, len(played), *found.figures))
    return Report(
        tables=(Table(title="judges", head=("judge", "n", *head), rows=tuple(rows)),)
        if rows
        else ()
    )


def _recorded(judge: str) -> Callable[[Tables], Iterator[Recorded]]:
    def rows(tables: Tables) -> Iterator[Recorded]:
        said = {game.key: game.straight for game in published_games(tables, judge)}
        for item in items(tables):
            if item.key in said:
                first, second = item.request.candidates
                yield Recorded(
                    question=item.request.question,
                    answers=(first.text, second.text),
                    reply=_LABELS[said[item.key]],
                )

    return rows


SUITE = Suite(
    name="pandalm",
    title="PandaLM's test: pairs of answers to instructions, three people each",
    paper="arXiv 2306.05087",
    files=FILES,
    items=items,
    report=report,
    values=values,
    rule=OrderRule.STRAIGHT,
    unreadable=UnreadableRule.TIE,
    published=published,
    recordings={judge: _recorded(judge) for judge in _RESULTS},
)
