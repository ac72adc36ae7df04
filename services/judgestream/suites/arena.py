"""Chatbot Arena's battles (arXiv 2306.05685): two models' answers with a person's vote.

The judge's outcomes rate the models by Elo and Bradley-Terry, and agree with the votes or not.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from judgestream.core.formats.arena import convert
from judgestream.core.formats.base import digest
from judgestream.core.formats.fields import SetAside
from judgestream.core.preference import Preference
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.arena_figures import ratings_table, win_table
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.pairs import agreement_report, games, hits
from judgestream.suites.report import Report

FILES = (
    Wanted(
        name="battles",
        pattern="battles*",
        content="battles: question_id, model_a, model_b, winner, conversation_a, conversation_b",
        source="huggingface.co/datasets/lmsys/chatbot_arena_conversations",
    ),
)
_WINNERS = {"1": Preference.FIRST, "2": Preference.SECOND, "": Preference.TIE}


def items(tables: Tables) -> Iterator[Item]:
    """Every battle of one turn or more that can be judged; rows that the format sets aside are left out."""
    for number, row in enumerate(tables["battles"], start=1):
        try:
            draft = convert(row)
        except SetAside:
            continue
        first, second = draft.candidates
        yield Item(
            key=str(number),
            request=request(draft.mode, draft.question, draft.candidates, options=draft.options),
            cluster=digest(draft.question, length=16),
            gold=next((_WINNERS[vote.winner] for vote in draft.votes), None),
            facts={"first": first.system, "second": second.system},
        )


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    played = games(judged)
    found = agreement_report(played, choices, wanted=len(judged))
    decided = [
        (game, outcome) for game in played if isinstance(outcome := game.by(choices), Preference)
    ]
    people = [(game, game.gold) for game in played if game.gold is not None]
    by_people = replace(ratings_table(people), title="ratings by people")
    return replace(
        found,
        tables=(win_table("win rates", decided), ratings_table(decided), by_people, *found.tables),
    )


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    return hits(games(judged), choices)


SUITE = Suite(
    name="arena",
    title="Chatbot Arena: battles of two models with people's votes",
    paper="arXiv 2306.05685",
    files=FILES,
    items=items,
    report=report,
    values=values,
    rule=OrderRule.MT_BENCH,
    unreadable=UnreadableRule.DROPPED,
)
