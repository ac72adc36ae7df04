"""MT-Bench (arXiv 2306.05685): pairs of answers to 80 two-turn questions, judged in both orders.

Every pair of models whose answers are there is compared on every question, once on its first turn and once on
the second turn of the whole conversation. Questions with a reference answer (maths, reasoning, coding) are
judged with it. A win needs both orders; everything else that can be read is a tie.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from judgestream.core.conversation import Focus
from judgestream.core.formats.base import Draft, as_conversations
from judgestream.core.formats.fastchat import FastChat
from judgestream.core.formats.fields import Fields
from judgestream.core.formats.judge_prompts import judged as texts_in
from judgestream.core.preference import Preference
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.arena_figures import (
    human_agreement,
    ratings_table,
    win_table,
)
from judgestream.suites.base import Choices, Item, Judged, Recorded, Suite, Tables, Wanted, request
from judgestream.suites.pairs import Game, counts, games, hits, notes, position_figures
from judgestream.suites.report import Report, Table

SOURCE = "github.com/lm-sys/FastChat, fastchat/llm_judge/data/mt_bench"
ANSWERS = (
    "github.com/lm-sys/FastChat: `python download_mt_bench_pregenerated.py`, or your model's own by"
    " `python gen_model_answer.py`"
)
FILES = (
    Wanted(
        name="questions",
        pattern="question.jsonl",
        content="the 80 questions: question_id, category, turns",
        source=SOURCE,
    ),
    Wanted(
        name="answers",
        pattern="model_answer/*.jsonl",
        content="one file of answers per model: question_id, model_id, choices",
        source=ANSWERS,
        least=2,
    ),
    Wanted(
        name="references",
        pattern="reference_answer/*.jsonl",
        content="reference answers to maths, reasoning and coding questions",
        source=SOURCE,
        required=False,
    ),
    Wanted(
        name="votes",
        pattern="human_judgments.*",
        content="people's votes: question_id, model_a, model_b, winner, judge, turn",
        source="huggingface.co/datasets/lmsys/mt_bench_human_judgments, split human",
        required=False,
    ),
    Wanted(
        name="pairs",
        pattern="model_judgment/*pair*.jsonl",
        content="published judgements of pairs: g1_winner, g2_winner, g1_user_prompt",
        source=ANSWERS,
        required=False,
    ),
    Wanted(
        name="singles",
        pattern="model_judgment/*single*.jsonl",
        content="published judgements of single answers: model, score, turn",
        source=ANSWERS,
        required=False,
    ),
)
_WORDS = {"model_1": Preference.FIRST, "model_2": Preference.SECOND, "tie": Preference.TIE}
_VOTES = {"model_a": Preference.FIRST, "model_b": Preference.SECOND}


def items(tables: Tables) -> Iterator[Item]:
    """Every pair of models on every question and turn, in the files' order."""
    votes = votes_by_pair(tables.get("votes", ()))
    categories = {row.identity("question_id"): row.name("category") for row in tables["questions"]}
    joined = FastChat()
    for name, part in (
        ("questions", "fastchat-questions"),
        ("references", "fastchat-answers"),
        ("answers", "fastchat-answers"),
    ):
        for row in tables.get(name, ()):
            joined.add(part, row)
    for draft in joined.outcomes():
        if isinstance(draft, Draft):
            yield _item(draft, categories, votes)


def _item(
    draft: Draft,
    categories: Mapping[str | None, str],
    votes: Mapping[tuple[str, str, str, str], tuple[Preference, ...]],
) -> Item:
    question, turn = draft.metadata["question_id"], draft.metadata.get("turn", "1")
    models = draft.candidates[0].system, draft.candidates[1].system
    shown = draft if turn == "1" else as_conversations(draft, Focus.LAST_TURN)
    asked = request(
        shown.mode,
        shown.question,
        shown.candidates,
        reference=shown.reference,
        options=shown.options,
    )
    cast = votes.get((question, turn, *models), ())
    return Item(
        key=f"{question}-{turn}-{models[0]}-{models[1]}",
        request=asked,
        cluster=question,
        facts={
            "category": categories.get(question, ""),
            "turn": turn,
            "first": models[0],
            "second": models[1],
            "model": "\n".join(models),
            "votes": " ".join(str(int(vote)) for vote in cast),
        },
    )


def votes_by_pair(
    rows: Sequence[Fields],
) -> dict[tuple[str, str, str, str], tuple[Preference, ...]]:
    """People's votes by question, turn and models, under either order of the models."""
    found: dict[tuple[str, str, str, str], tuple[Preference, ...]] = {}
    for row in rows:
        question, turn = row.identity("question_id") or "", row.identity("turn") or "1"
        first, second = row.text("model_a"), row.text("model_b")
        word = row.text("winner")
        vote = Preference.TIE if "tie" in word else _VOTES.get(word)
        if vote is None:
            row.reject("winner", f"is {word[:40]!r}: must be model_a, model_b or tie")
        for key, value in (
            ((question, turn, first, second), vote),
            ((question, turn, second, first), vote.mirrored),
        ):
            found[key] = (*found.get(key, ()), value)
    return found


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    return of_games(games(judged), choices, wanted=len(judged))


def of_games(played: Sequence[Game], choices: Choices, *, wanted: int | None = None) -> Report:
    """Win rates and ratings of the models, position bias, and the agreement with people's votes."""
    rows = [(game, game.by(choices)) for game in played]
    decided = [(game, found) for game, found in rows if isinstance(found, Preference)]
    return Report(
        figures=(*position_figures(played), *human_agreement(decided)),
        tables=(
            _positions(played),
            win_table("win rates", decided),
            *_by_category(decided),
            ratings_table(decided),
            counts(rows, choices, wanted=wanted),
        ),
        notes=notes(played, choices),
    )


def _positions(played: Sequence[Game]) -> Table:
    """The paper's count of position bias: only where the answer that is shown first, or second, wins in both
    orders. A win in one order and a tie in the other is mixed."""
    both = [
        (int(game.straight), int(game.swapped))
        for game in played
        if game.straight is not None and game.swapped is not None and not game.by_value
    ]
    consistent = sum(a == b for a, b in both)
    first, second = both.count((1, -1)), both.count((-1, 1))
    return Table(
        title="positions",
        head=("pairs", "consistent", "first wins both", "second wins both", "mixed"),
        rows=((len(both), consistent, first, second, len(both) - consistent - first - second),),
    )


def _by_category(decided: Sequence[tuple[Game, Preference]]) -> tuple[Table, ...]:
    categories = sorted({game.facts.get("category", "") for game, _ in decided} - {""})
    return tuple(
        win_table(
            f"win rates: {name}", [row for row in decided if row[0].facts["category"] == name]
        )
        for name in categories
    )


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    """Agreement with the majority of people's votes where there are any; else consistency."""
    played = games(judged)
    voted = [replace(game, gold=_majority(game)) for game in played]
    if found := hits(voted, choices):
        return found
    return {
        game.key: float(game.straight == game.swapped)
        for game in played
        if game.straight is not None and game.swapped is not None
    }


def _majority(game: Game) -> Preference | None:
    cast = [int(vote) for vote in game.facts.get("votes", "").split()]
    return Preference.between(sum(cast), 0) if cast else None


def published_games(rows: Sequence[Fields]) -> list[Game]:
    """FastChat's judgements of pairs; a winner that is none of its words is an order that was not read."""
    found = []
    for number, row in enumerate(rows):
        words = [row.text(name) for name in ("g1_winner", "g2_winner")]
        found.append(
            Game(
                key=str(number),
                cluster=row.identity("question_id") or "",
                gold=None,
                straight=_WORDS.get(words[0]),
                swapped=_WORDS.get(words[1]),
                facts={
                    "first": row.name("model_1"),
                    "second": row.name("model_2"),
                    "turn": row.identity("turn") or "1",
                    "category": "",
                },
            )
        )
    return found


def published(tables: Tables) -> Report:
    """The published judgements of pairs by the paper's rule, and the mean scores of single answers."""
    played = published_games(tables.get("pairs", ()))
    found = of_games(played, SUITE.choices) if played else Report()
    scores = _single_scores(tables.get("singles", ()))
    return replace(found, tables=(*found.tables, *((scores,) if scores.rows else ())))


def _single_scores(rows: Sequence[Fields]) -> Table:
    """Mean score per model and turn. A score of -1 is a judgement that was not read, and is dropped."""
    by_model: dict[str, dict[str, list[float]]] = {}
    for row in rows:
        score = row.number("score")
        turns = by_model.setdefault(row.name("model"), {})
        if score != -1:
            turns.setdefault(row.identity("turn") or "1", []).append(score)
    cells = []
    for model, turns in sorted(by_model.items()):
        both = [score for scores in turns.values() for score in scores]
        means = [_mean(turns.get(turn, ())) for turn in ("1", "2")]
        cells.append((model, len(both), *means, _mean(both)))
    return Table(
        title="scores",
        head=("model", "n", "turn 1", "turn 2", "mean"),
        rows=tuple(cells),
        plot="mean",
    )


def _mean(scores: Sequence[float]) -> float | None:
    return sum(scores) / len(scores) if scores else None


def recorded(tables: Tables) -> Iterator[Recorded]:
    """The judgements of both orders as they were shown."""
    words = {Preference.FIRST: "A", Preference.SECOND: "B", Preference.TIE: "C", None: "error"}
    for row, game in zip(
        tables.get("pairs", ()), published_games(tables.get("pairs", ())), strict=True
    ):
        for prompt, said in (("g1_user_prompt", game.straight), ("g2_user_prompt", game.swapped)):
            found = texts_in(row.text(prompt), 2)
            if found is None:
                continue
            shown = said if prompt == "g1_user_prompt" or said is None else said.mirrored
            yield Recorded(
                question=found.question,
                answers=found.answers,
                reference=found.reference,
                reply=words[shown],
            )


SUITE = Suite(
    name="mt-bench",
    title="MT-Bench: pairs of models on 80 two-turn questions",
    paper="arXiv 2306.05685",
    files=FILES,
    items=items,
    report=report,
    values=values,
    rule=OrderRule.MT_BENCH,
    unreadable=UnreadableRule.DROPPED,
    published=published,
    recordings={"gpt-4": recorded},
)
