"""Auto-J's pairwise test (arXiv 2310.05470): 58 scenarios of 24 pairs, each with a person's label.

Both orders must be right, so a pair whose orders contradict each other is wrong.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from judgestream.core.formats.autoj import EXCHANGED, convert
from judgestream.core.formats.base import Draft, digest
from judgestream.core.formats.fields import Fields
from judgestream.core.preference import Preference
from judgestream.evaluation.clusters import clustered_share
from judgestream.evaluation.order_rules import OrderRule
from judgestream.suites.base import Choices, Item, Judged, Recorded, Suite, Tables, Wanted, request
from judgestream.suites.pairs import Game, agreement_report, games, hits
from judgestream.suites.report import Figure, Report

SOURCE = "github.com/GAIR-NLP/auto-j, data/"
FILES = (
    Wanted(
        name="pairs",
        pattern="test/testdata_pairwise.jsonl",
        content="the pairs: prompt, response 1, response 2, label, scenario",
        source=SOURCE + "test",
    ),
    Wanted(
        name="predictions",
        pattern="outputs/pairwise*example_output.jsonl",
        content="Auto-J's own predictions in both orders, one line a pair",
        source=SOURCE + "outputs",
        required=False,
    ),
)
_SIDES = {0: Preference.FIRST, 1: Preference.SECOND, 2: Preference.TIE}
_LABELS = {Preference.FIRST: "A", Preference.SECOND: "B", Preference.TIE: "C", None: "unreadable"}
_WINNERS = {"1": Preference.FIRST, "2": Preference.SECOND, "": Preference.TIE}


def items(tables: Tables) -> Iterator[Item]:
    for number, draft in enumerate(map(convert, tables["pairs"]), start=1):
        yield Item(
            key=str(number),
            request=request(draft.mode, draft.question, draft.candidates),
            cluster=digest(draft.question, length=16),
            gold=_gold(draft),
            facts=dict(draft.metadata),
        )


def _gold(draft: Draft) -> Preference | None:
    return next((_WINNERS[vote.winner] for vote in draft.votes), None)


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    return of_games(games(judged), choices, wanted=len(judged))


def of_games(played: Sequence[Game], choices: Choices, *, wanted: int | None = None) -> Report:
    """The agreement by the rule, and that of the first order alone."""
    found = agreement_report(played, choices, by="scenario", wanted=wanted)
    first = [game for game in played if game.straight is not None and game.gold is not None]
    share = clustered_share(
        [game.straight == game.gold for game in first], [game.cluster for game in first]
    )
    return replace(found, figures=(*found.figures, Figure.of("first_order_agreement", share)))


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    return hits(games(judged), choices)


def published_games(tables: Tables) -> list[Game]:
    """The predictions on the pairs, joined by row. The exchanged file names sides as they were shown."""
    orders: dict[bool, list[Preference | None]] = {}
    for row in tables.get("predictions", ()):
        exchanged = EXCHANGED in row.place.file.rpartition("/")[2]
        said = _prediction(row)
        orders.setdefault(exchanged, []).append(
            said.mirrored if exchanged and said is not None else said
        )
    straight, swapped = orders.get(False, []), orders.get(True, [])
    pairs = [convert(row) for row in tables.get("pairs", ())]
    if not straight or not len(straight) == len(swapped) == len(pairs):
        return []
    return [
        Game(
            key=str(number),
            cluster=digest(draft.question, length=16),
            gold=_gold(draft),
            straight=one,
            swapped=other,
            facts=dict(draft.metadata),
        )
        for number, (draft, one, other) in enumerate(
            zip(pairs, straight, swapped, strict=True), start=1
        )
    ]


def _prediction(row: Fields) -> Preference | None:
    side = row.whole("output", (0, 1, 2))
    return None if side is None else _SIDES[side]


def published(tables: Tables) -> Report:
    played = published_games(tables)
    if not played:
        return Report(notes=("no predictions in both orders for every pair",))
    return of_games(played, SUITE.choices)


def recorded(tables: Tables) -> Iterator[Recorded]:
    """Auto-J's predictions, each as it was shown."""
    for game, row in zip(published_games(tables), tables["pairs"], strict=False):
        draft = convert(row)
        first, second = (one.text for one in draft.candidates)
        exchanged = None if game.swapped is None else game.swapped.mirrored
        for answers, said in (((first, second), game.straight), ((second, first), exchanged)):
            yield Recorded(question=draft.question, answers=answers, reply=_LABELS[said])


SUITE = Suite(
    name="auto-j",
    title="Auto-J's test: pairs of 58 scenarios with people's labels",
    paper="arXiv 2310.05470",
    files=FILES,
    items=items,
    report=report,
    values=values,
    rule=OrderRule.AUTO_J,
    published=published,
    recordings={"auto-j": recorded},
)
