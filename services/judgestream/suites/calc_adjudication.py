"""From Calculation to Adjudication (arXiv 2409.04168): which of two solutions to a maths problem is correct?

The candidates are GSM8K's published solutions of four models, every pair of them. Every order is a separate
judgement, and one that chooses neither solution is wrong. Two ablations show what a judge reads: with the
final answers exchanged between the solutions it should change sides, and without numbers be near chance.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

from judgestream.core.formats.base import digest, pair_of
from judgestream.core.formats.fields import Fields
from judgestream.core.preference import Preference
from judgestream.evaluation.adjudication import CASES, Adjudged, Adjudication, adjudged
from judgestream.evaluation.clusters import clustered_share
from judgestream.evaluation.rank_correlation import pearson
from judgestream.evaluation.regression import linear
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.pairs import Game, games
from judgestream.suites.report import Cell, Figure, Report, Table

FILES = (
    Wanted(
        name="solutions",
        pattern="example_model_solutions.jsonl",
        content="GSM8K's test questions with four models' solutions: question, ground_truth, <model>",
        source="github.com/openai/grade-school-math, grade_school_math/data",
    ),
)
VARIANTS = ("plain", "swapped_answers", "masked")
MASKED = "All numbers are replaced by X. Look only at the reasoning of the answers."
_NUMBER = re.compile(r"-?\d[\d,]*(?:\.\d+)?")
_DIGITS = re.compile(r"\d[\d,.]*")


def items(tables: Tables) -> Iterator[Item]:
    """Every pair of solvers on every question, plain; with both ablations where the final answers differ."""
    for row in tables["solutions"]:
        question = row.text("question")
        solvers = [name for name, value in row.values.items() if _is_solution(value)]
        if len(solvers) < 2:
            row.reject("solution", "is there for fewer than two models")
        solved = {name: row.inner(name) for name in solvers}
        for first, second in combinations(solvers, 2):
            yield from _of_pair(row, question, first, second, solved)


def _is_solution(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("is_correct"), bool)


def _of_pair(
    row: Fields, question: str, first: str, second: str, solved: Mapping[str, Fields]
) -> Iterator[Item]:
    texts = solved[first].text("solution"), solved[second].text("solution")
    answers = final_answer(texts[0]), final_answer(texts[1])
    right = [solved[name].values["is_correct"] is True for name in (first, second)]
    cluster = digest(question, length=16)
    unit = f"{row.place.number}-{first}-{second}"
    for variant in VARIANTS:
        shown, asked = texts, question
        if variant != "plain" and (None in answers or answers[0] == answers[1]):
            continue
        if variant == "swapped_answers":
            shown = exchanged(texts, answers[0] or "", answers[1] or "")
        elif variant == "masked":
            shown, asked = (masked(texts[0]), masked(texts[1])), f"{masked(question)}\n\n{MASKED}"
        yield Item(
            key=f"{unit}-{variant}",
            request=request("pairwise", asked, pair_of(shown, (first, second))),
            cluster=cluster,
            unit=unit,
            gold=None if right[0] == right[1] else Preference.between(*right),
            facts={
                "variant": variant,
                "first": first,
                "second": second,
                "case": "".join("T" if one else "F" for one in right),
                "differ": str(int(answers[0] != answers[1])),
            },
        )


def final_answer(solution: str) -> str | None:
    """The first number behind the last `####`, or behind the last `A:`; None without one."""
    for mark in ("####", "A:"):
        _, found, rest = solution.rpartition(mark)
        if found and (number := _NUMBER.search(rest)):
            return number[0].replace(",", "").removesuffix(".0")
    return None


def exchanged(texts: tuple[str, str], first: str, second: str) -> tuple[str, str]:
    """The solutions with each other's final answer, wherever it stands as a number; all else is kept."""
    return _replaced(texts[0], first, second), _replaced(texts[1], second, first)


def _replaced(text: str, before: str, after: str) -> str:
    pattern = rf"(?<![\d.]){re.escape(before)}(?:\.0)?(?![\d]|[.,]\d)"
    return re.sub(pattern, lambda _: after, text)


def masked(text: str) -> str:
    """The text with an X for every number."""
    return _DIGITS.sub(lambda match: "X" + match[0][len(match[0].rstrip(".,")) :], text)


def _judgements(game: Game, choices: Choices) -> Iterator[Adjudication]:
    """One per order that was asked. One that was not read chooses neither, or is left out."""
    case = game.facts["case"]
    wrong = choices.unreadable is UnreadableRule.WRONG and not game.one_order
    for said in (game.straight, game.swapped):
        if game.failed or (said is None and not wrong):
            continue
        yield Adjudication(
            first=case[0] == "T",
            second=case[1] == "T",
            differ=game.facts["differ"] == "1",
            chosen=int(said or 0),
        )


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    played = games(judged)
    plain = [game for game in played if game.facts["variant"] == "plain"]
    whole = _adjudged(plain, choices)
    by_pair: dict[str, list[Game]] = {}
    for game in plain:
        by_pair.setdefault(f"{game.facts['first']} / {game.facts['second']}", []).append(game)
    cells = {name: _adjudged(rows, choices) for name, rows in by_pair.items()}
    return Report(
        figures=(
            Figure.of("J_full", whole.full),
            Figure.of("J_differ", whole.differ),
            *(Figure.of(f"J_{case}", whole.given[case]) for case in CASES if whole.counts[case]),
            *_predicted(list(cells.values())),
            *_ablations(played, choices),
        ),
        tables=(
            _pairs_table(cells),
            Table(
                title="cases",
                head=CASES,
                rows=(tuple(whole.counts[case] for case in CASES),),
            ),
            _counts(judged, played),
        ),
    )


def _adjudged(played: Sequence[Game], choices: Choices) -> Adjudged:
    rows = [(one, game.cluster) for game in played for one in _judgements(game, choices)]
    return adjudged([one for one, _ in rows], [cluster for _, cluster in rows])


def _pairs_table(cells: Mapping[str, Adjudged]) -> Table:
    rows: list[tuple[Cell, ...]] = []
    for name, found in cells.items():
        first, second = found.accuracies or (None, None)
        rows.append(
            (
                name,
                sum(found.counts.values()),
                first,
                second,
                Figure.of("J_full", found.full),
                Figure.of("J_differ", found.differ),
                found.gain,
                Figure.of("stronger", found.stronger),
            )
        )
    head = ("solvers", "n", "accuracy 1", "accuracy 2", "J_full", "J_differ", "gain")
    return Table(
        title="pairs of solvers",
        head=(*head, "prefers stronger"),
        rows=tuple(rows),
        plot="J_differ",
    )


def _predicted(cells: Sequence[Adjudged]) -> tuple[Figure, ...]:
    """J_full predicted from the two accuracies over the pairs of solvers, and its correlation with each."""
    rows = [
        (found.accuracies, found.full.value)
        for found in cells
        if found.accuracies is not None and found.full is not None
    ]
    values = [value for _, value in rows]
    fit = linear([accuracies for accuracies, _ in rows], values)
    r2 = None if fit is None else fit.r2
    means = [sum(accuracies) / 2 for accuracies, _ in rows]
    return (
        Figure(name="r2_from_accuracies", value=r2, n=len(rows), percent=False),
        Figure(
            name="pearson_with_accuracy", value=pearson(means, values), n=len(rows), percent=False
        ),
    )


def _ablations(played: Sequence[Game], choices: Choices) -> tuple[Figure, ...]:
    """How often one writer is chosen again after an exchange of final answers; J_differ without numbers."""
    plain = {game.key.rpartition("-")[0]: game for game in played if _variant(game) == "plain"}
    same: list[tuple[bool, str]] = []
    for game in played:
        before = plain.get(game.key.rpartition("-")[0])
        if _variant(game) != "swapped_answers" or before is None:
            continue
        for one, other in ((before.straight, game.straight), (before.swapped, game.swapped)):
            if one and other is not None:
                same.append((one == other, game.cluster))
    hidden = _adjudged([game for game in played if _variant(game) == "masked"], choices)
    return (
        Figure.of(
            "same_writer_after_swap",
            clustered_share([kept for kept, _ in same], [cluster for _, cluster in same]),
        ),
        Figure.of("J_differ_masked", hidden.differ),
    )


def _variant(game: Game) -> str:
    return game.facts["variant"]


def _counts(judged: Sequence[Judged], played: Sequence[Game]) -> Table:
    unread = sum(
        (game.straight is None) + (game.swapped is None)
        for game in played
        if not game.failed and not game.one_order
    )
    return Table(
        title="counts",
        head=("items", "judged", "unread orders", "failed"),
        rows=((len(judged), len(played), unread, sum(game.failed for game in played)),),
    )


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    """The share of correct judgements of each plain pair whose final answers differ."""
    found = {}
    for game in games(judged):
        rows = list(_judgements(game, choices))
        if rows and _variant(game) == "plain" and game.facts["differ"] == "1":
            found[game.key] = sum(one.correct for one in rows) / len(rows)
    return found


def published(tables: Tables) -> Report:
    """Nothing was judged; the accuracies of the solvers, and the cases of every pair of them."""
    right: dict[str, list[bool]] = {}
    for row in tables.get("solutions", ()):
        for name, value in row.values.items():
            if _is_solution(value):
                right.setdefault(name, []).append(row.inner(name).values["is_correct"] is True)
    cases: list[tuple[Cell, ...]] = []
    for first, second in combinations(right, 2):
        both = list(zip(right[first], right[second], strict=True))
        counts = [both.count((a, b)) for a in (True, False) for b in (True, False)]
        cases.append((first, second, *counts, counts[1] + counts[2]))
    return Report(
        tables=(
            Table(
                title="solvers",
                head=("solver", "n", "accuracy"),
                rows=tuple(
                    (name, len(hits), Figure.of("accuracy", clustered_share(hits)))
                    for name, hits in right.items()
                ),
                plot="accuracy",
            ),
            Table(title="cases", head=("first", "second", *CASES, "mixed"), rows=tuple(cases)),
        )
    )


SUITE = Suite(
    name="calc-adjudication",
    title="From Calculation to Adjudication: which of two solutions is correct",
    paper="arXiv 2409.04168",
    files=FILES,
    items=items,
    report=report,
    values=values,
    unreadable=UnreadableRule.WRONG,
    orders=False,
    published=published,
)
