"""MT-Bench's single grading (arXiv 2306.05685): each model's answers scored from 1 to 10, turn by turn."""

from collections.abc import Iterator, Sequence

from judgestream.core.conversation import ASSISTANT, USER, Focus, Turn
from judgestream.core.formats.fields import Fields
from judgestream.core.preference import Preference
from judgestream.core.types import Candidate, Options
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites import mt_bench
from judgestream.suites.arena_figures import human_agreement
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.pairs import Game
from judgestream.suites.report import Cell, Figure, Report, Table
from judgestream.suites.single_scores import mean_score, score, values

FILES = tuple(
    Wanted(
        name=one.name,
        pattern=one.pattern,
        content=one.content,
        source=one.source,
        required=one.required,
    )
    for one in mt_bench.FILES
    if one.name in ("questions", "answers", "references", "singles", "votes")
)


TIE_WITHIN = 0.1
"""Two scores that differ by no more are a tie, as FastChat has it."""


def items(tables: Tables) -> Iterator[Item]:
    """The first turn in mode single; the second in mode multi_turn, judged by its last turn."""
    questions = {row.identity("question_id") or "": row for row in tables["questions"]}
    references = {
        row.identity("question_id") or "": _turns(row) for row in tables.get("references", ())
    }
    votes = _votes_by_answer(tables.get("votes", ()))
    for row in tables["answers"]:
        number, model = row.identity("question_id") or "", row.text("model_id")
        if number not in questions:
            row.reject("question_id", f"is {number[:40]!r}, which no question has")
        asked = _texts(questions[number])
        said = _turns(row)
        facts = {"model": model, "category": questions[number].name("category")}
        known = references.get(number, [])
        for turn in range(1, min(len(asked), len(said)) + 1):
            reference = "\n\n".join(known[:turn]) if known else None
            if turn == 1:
                made = request(
                    "single",
                    asked[0],
                    (Candidate(id="1", text=said[0], system=model),),
                    reference=reference,
                )
            else:
                turns = [
                    Turn(role=role, text=text)
                    for question, answer in zip(asked[:turn], said[:turn], strict=True)
                    for role, text in ((USER, question), (ASSISTANT, answer))
                ]
                made = request(
                    "multi_turn",
                    "",
                    (Candidate(id="1", turns=tuple(turns), system=model),),
                    reference=reference,
                    options=Options(focus=Focus.LAST_TURN),
                )
            yield Item(
                key=f"{number}-{turn}-{model}",
                request=made,
                cluster=number,
                facts=facts
                | {"turn": str(turn), "votes": votes.get((number, str(turn), model), "")},
            )


def _votes_by_answer(rows: Sequence[Fields]) -> dict[tuple[str, str, str], str]:
    """People's votes by question, turn and model, one line per other model: its name, a tab, the votes."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for (number, turn, model, other), cast in mt_bench.votes_by_pair(rows).items():
        votes = " ".join(str(int(vote)) for vote in cast)
        found.setdefault((number, turn, model), []).append(f"{other}\t{votes}")
    return {key: "\n".join(lines) for key, lines in found.items()}


def _texts(row: Fields) -> list[str]:
    return [one for one in row.items("turns") if isinstance(one, str)]


def _turns(row: Fields) -> list[str]:
    choices = row.items("choices")
    if not choices:
        row.reject("choices", "is empty")
    return _texts(row.nested("choices[0]", choices[0]))


def as_pairs(scored: Sequence[tuple[Item, float]]) -> list[tuple[Game, Preference]]:
    """Pairs of answers that people voted on, by their single scores: a tie within `TIE_WITHIN`."""
    known = {
        (item.cluster, item.facts["turn"], item.facts["model"]): score for item, score in scored
    }
    pairs = []
    for item, own in scored:
        number, turn, model = item.cluster, item.facts["turn"], item.facts["model"]
        for line in filter(None, item.facts["votes"].split("\n")):
            other, _, cast = line.partition("\t")
            rival = known.get((number, turn, other))
            if rival is None or model > other:
                continue
            found = (
                Preference.TIE if abs(own - rival) <= TIE_WITHIN else Preference.between(own, rival)
            )
            facts = {"first": model, "second": other, "turn": turn, "votes": cast}
            pairs.append(
                (
                    Game(
                        key=f"{number}-{turn}-{model}-{other}",
                        cluster=number,
                        gold=None,
                        straight=found,
                        swapped=found,
                        by_value=True,
                        facts=facts,
                    ),
                    found,
                )
            )
    return pairs


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    scored = [(one.item, found) for one in judged if (found := score(one)) is not None]
    models = list(dict.fromkeys(item.facts["model"] for item, _ in scored))
    categories = sorted({item.facts["category"] for item, _ in scored})
    rows: list[tuple[Cell, ...]] = []
    for model in models:
        own = [(item, found) for item, found in scored if item.facts["model"] == model]
        by_turn = [
            mean_score([row for row in own if row[0].facts["turn"] == turn]) for turn in "12"
        ]
        rows.append((model, len(own), *by_turn, mean_score(own)))
    rows.sort(key=lambda row: -(row[4].value or 0.0) if isinstance(row[4], Figure) else 0.0)
    return Report(
        figures=(mean_score(scored), *human_agreement(as_pairs(scored))),
        tables=(
            Table(
                title="scores",
                head=("model", "n", "turn 1", "turn 2", "mean"),
                rows=tuple(rows),
                plot="mean",
            ),
            Table(
                title="scores by category",
                head=("model", *categories),
                rows=tuple(
                    (
                        model,
                        *(
                            mean_score(
                                [
                                    row
                                    for row in scored
                                    if row[0].facts["model"] == model
                                    and row[0].facts["category"] == category
                                ]
                            ).value
                            for category in categories
                        ),
                    )
                    for model in models
                ),
            ),
            Table(title="counts", head=("answers", "scored"), rows=((len(judged), len(scored)),)),
        ),
    )


SUITE = Suite(
    name="mt-bench-single",
    title="MT-Bench: single answers to 80 two-turn questions, 1 to 10",
    paper="arXiv 2306.05685",
    files=FILES,
    items=items,
    report=report,
    values=values,
    unreadable=UnreadableRule.DROPPED,  # as MT-Bench drops a score of -1
    orders=False,
    published=mt_bench.published,
)
