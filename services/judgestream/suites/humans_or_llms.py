"""Humans or LLMs as the Judge? (arXiv 2402.10669): does a perturbed answer turn the judge's preference?

142 questions with two answers each are judged as they are (control), and once for each perturbation of one of
the answers. The paper takes six votes, three in either order; a judge that always answers alike casts the
same three each time, so its two orders amount to the sign of their sum. What six votes sampled at temperature
1 amount to follows from the probabilities of both orders (`suites.sampled_votes`).
"""

from collections.abc import Iterator, Mapping, Sequence

from judgestream.core.formats.base import digest, pair_of
from judgestream.core.formats.fields import Fields
from judgestream.core.preference import Preference
from judgestream.evaluation.attack import (
    AttackSuccess,
    Perturbation,
    attack_success,
    expected_success,
    random_judge,
)
from judgestream.evaluation.clusters import clustered_share
from judgestream.evaluation.order_rules import OrderRule
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.pairs import Game, counts, games, notes, position_figures
from judgestream.suites.report import Figure, Report, Table
from judgestream.suites.sampled_votes import six_votes, turned

SOURCE = "github.com/FreedomIntelligence/Humans_LLMs_Judgement_Bias, data/ (rename .json to .jsonl)"
CONTROL = "raw"
KINDS: Mapping[str, Perturbation] = {
    "factual_error": Perturbation.RELATED,
    "gender": Perturbation.RELATED,
    "reference": Perturbation.AGNOSTIC,
    "rich_content": Perturbation.AGNOSTIC,
}
FILES = (
    Wanted(
        name=CONTROL,
        pattern="raw.jsonl",
        content="the questions, each with two answers",
        source=SOURCE,
    ),
    *(
        Wanted(
            name=kind,
            pattern=f"{kind}.jsonl",
            content="the same with one answer perturbed",
            source=SOURCE,
            required=False,
        )
        for kind in KINDS
    ),
)
LOPSIDED = 0.3
"""A judge with a larger difference between the shares of first and second is dropped in the paper."""


def items(tables: Tables) -> Iterator[Item]:
    """The control of every question, then its perturbed copies."""
    known: set[str] = set()
    for row in tables[CONTROL]:
        question, answers = _texts(row)
        cluster = digest(question, length=16)
        known.add(question)
        yield Item(
            key=f"{cluster}-{CONTROL}",
            request=request("pairwise", question, pair_of(answers)),
            cluster=cluster,
            unit=cluster,
            facts={"kind": CONTROL, "slot": "", "level": row.name("level")},
        )
        for kind in KINDS:
            for other in tables.get(kind, ()):
                if other.text("question") == question:
                    yield _perturbed(other, kind, cluster, row.name("level"))
    for kind in KINDS:
        for other in tables.get(kind, ()):
            if other.text("question") not in known:
                other.reject(
                    "question", "is not among those of raw.jsonl, and rows are joined by it"
                )


def _perturbed(row: Fields, kind: str, cluster: str, level: str) -> Item:
    question, answers = _texts(row)
    both = row.inner("answers")
    slots = [k for k in (1, 2) if both.inner(f"answer{k}").name("perturb")]
    if len(slots) != 1:
        row.reject("answers", "must have one answer with a perturbation")
    return Item(
        key=f"{cluster}-{kind}",
        request=request("pairwise", question, pair_of(answers)),
        cluster=cluster,
        unit=cluster,
        facts={"kind": kind, "slot": str(slots[0]), "level": level},
    )


def _texts(row: Fields) -> tuple[str, tuple[str, str]]:
    both = row.inner("answers")
    first, second = (both.inner(f"answer{k}").text("answer") for k in (1, 2))
    return row.text("question"), (first, second)


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    played = games(judged)
    found = {kind: _success(played, kind, choices) for kind in KINDS}
    rows = [(game, game.by(choices)) for game in played]
    expected = random_judge()
    sampled = {kind: _sampled(judged, kind) for kind in KINDS}
    return Report(
        figures=(
            *(Figure.of(f"attack_success_{kind}", one.rate) for kind, one in found.items()),
            *sampled.values(),
            *position_figures(played),
        ),
        tables=(
            Table(
                title="attack success",
                head=(
                    "perturbation",
                    "pairs",
                    "at risk",
                    "successes",
                    "rate",
                    "six sampled votes",
                    "random judge",
                ),
                rows=tuple(
                    (
                        kind,
                        one.pairs,
                        one.at_risk,
                        one.successes,
                        Figure.of("rate", one.rate),
                        sampled[kind],
                        float(expected.rates[KINDS[kind]]),
                    )
                    for kind, one in found.items()
                ),
                plot="rate",
            ),
            _votes(played),
            counts(rows, choices, wanted=len(judged)),
        ),
        notes=notes(played, choices),
    )


def _success(played: Sequence[Game], kind: str, choices: Choices) -> AttackSuccess:
    """Over the questions that have both; preferences are turned so that the perturbed answer is second."""
    control = {game.cluster: game for game in played if game.facts["kind"] == CONTROL}
    pairs = [
        (control[game.cluster], game)
        for game in played
        if game.facts["kind"] == kind and game.cluster in control
    ]
    return attack_success(
        KINDS[kind],
        [_toward(before, game.facts["slot"], choices) for before, game in pairs],
        [_toward(game, game.facts["slot"], choices) for _, game in pairs],
        [game.cluster for _, game in pairs],
    )


def _sampled(judged: Sequence[Judged], kind: str) -> Figure:
    """The success rate that is expected of six sampled votes, over the questions that have both."""
    chances = {one.item.key: found for one in judged if (found := six_votes(one)) is not None}
    control = {one.item.cluster: one for one in judged if one.item.facts["kind"] == CONTROL}
    pairs = [
        (control[one.item.cluster].item, one.item)
        for one in judged
        if one.item.facts["kind"] == kind and one.item.cluster in control
    ]
    read = [(a, b) for a, b in pairs if a.key in chances and b.key in chances]
    sides = [
        [turned(chances[item.key], after.facts["slot"]) for item, after in rows]
        for rows in ([(a, b) for a, b in read], [(b, b) for _, b in read])
    ]
    return Figure(
        name=f"sampled_attack_success_{kind}",
        value=expected_success(KINDS[kind], *sides),
        n=len(read),
    )


def _toward(game: Game, slot: str, choices: Choices) -> Preference | None:
    """The preference with the answer of this slot as the second; None without one."""
    found = game.by(choices)
    if not isinstance(found, Preference):
        return None
    return found if slot == "2" else found.mirrored


def _votes(played: Sequence[Game]) -> Table:
    """The shares of votes for the answer that is shown first, for a tie and for the second."""
    votes = [
        (said, game.cluster)
        for game in played
        if not game.by_value
        for said in (game.straight, None if game.swapped is None else game.swapped.mirrored)
        if said is not None
    ]
    clusters = [cluster for _, cluster in votes]
    shares = {
        one: clustered_share([said == one for said, _ in votes], clusters)
        for one in (Preference.FIRST, Preference.TIE, Preference.SECOND)
    }
    first, tie, second = shares.values()
    difference = None if first is None or second is None else first.value - second.value
    lopsided = None if difference is None else ("yes" if abs(difference) > LOPSIDED else "no")
    return Table(
        title="votes by position",
        head=("votes", "first", "tie", "second", "difference", "lopsided"),
        rows=(
            (
                len(votes),
                Figure.of("first", first),
                Figure.of("tie", tie),
                Figure.of("second", second),
                difference,
                lopsided,
            ),
        ),
    )


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    """1 for each perturbed pair at risk that the attack turns: lower is better."""
    played = games(judged)
    control = {game.cluster: game for game in played if game.facts["kind"] == CONTROL}
    found = {}
    for game in played:
        kind, before = game.facts["kind"], control.get(game.cluster)
        if kind not in KINDS or before is None:
            continue
        one = attack_success(
            KINDS[kind],
            [_toward(before, game.facts["slot"], choices)],
            [_toward(game, game.facts["slot"], choices)],
        )
        if one.at_risk:
            found[game.key] = float(one.successes)
    return found


SUITE = Suite(
    name="humans-or-llms",
    title="Humans or LLMs as the Judge: attacks on the judge by perturbed answers",
    paper="arXiv 2402.10669",
    files=FILES,
    items=items,
    report=report,
    values=values,
    rule=OrderRule.JUDGEBENCH,
)
