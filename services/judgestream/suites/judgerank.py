"""JudgeRank (arXiv 2411.00142): a retriever's documents, ranked again by P(yes) after an analysis of each.

BRIGHT's files and a first-stage run make the queries; each query's best documents are judged in mode rerank.
One verdict gives two rankings: by P(yes) alone, and by the hybrid of 100 P(yes) and the first-stage score.
"""

from collections.abc import Iterator, Mapping, Sequence
from statistics import fmean

from judgestream.core.formats.fields import Fields
from judgestream.core.formats.retrieval import NOTHING
from judgestream.core.types import Candidate, Options, Status
from judgestream.evaluation.clusters import clustered_mean
from judgestream.evaluation.retrieval import (
    Run,
    average_precision,
    ndcg,
    precision,
    ranked,
    recall,
    reciprocal_rank,
)
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.report import Cell, Figure, Report, Table

SOURCE = "huggingface.co/datasets/xlangai/BRIGHT"
FILES = (
    Wanted(
        name="queries",
        pattern="examples*",
        content="one query a row: id, query, gold_ids, excluded_ids, and the task if there are several",
        source=f"{SOURCE}, config examples",
    ),
    Wanted(
        name="documents",
        pattern="documents*",
        content="the documents of the first-stage run: id, content",
        source=f"{SOURCE}, config documents",
    ),
    Wanted(
        name="run",
        pattern="run*",
        content="a first-stage run, one row per query and document: query_id, doc_id, score",
        source="your retriever, such as BM25; BRIGHT's `run.py` writes the same as nested JSON",
    ),
)
DEPTH = 100
"""Documents of a query that are judged, the best of the first stage; the paper's number."""
WEIGHT = 100.0
"""Of P(yes) in the hybrid, as ERank's appendix states it."""
LENGTH = 8000
"""Characters of a document that the judge sees, or fewer where a query's documents exceed a request."""
TOGETHER = 900_000
"""Bytes of all documents of a query, below the limit of a request."""


def items(tables: Tables) -> Iterator[Item]:
    texts = {_id(row, "id"): row.text("content") for row in tables["documents"]}
    runs: dict[str, dict[str, float]] = {}
    for row in tables["run"]:
        runs.setdefault(_id(row, "query_id"), {})[_id(row, "doc_id")] = row.number("score")
    for row in tables["queries"]:
        query = _id(row, "id")
        excluded = _listed(row, "excluded_ids") - {NOTHING}
        run = {name: score for name, score in runs.get(query, {}).items() if name not in excluded}
        best = ranked(run)[:DEPTH]
        if len(best) < 2:
            row.reject("id", f"{query[:40]!r} has fewer than two documents in the run")
        for name in best:
            if name not in texts:
                row.reject("id", f"{query[:40]!r}: no row of documents has id {name[:60]!r}")
        most = min(LENGTH, TOGETHER // len(best))
        yield Item(
            key=query,
            request=request(
                "rerank",
                row.text("query"),
                [
                    Candidate(id=name, text=_cut(texts[name], most), first_stage_score=run[name])
                    for name in best
                ],
                options=Options(hybrid_weight=WEIGHT, explain=True),
            ),
            cluster=query,
            facts={
                "task": row.name("task"),
                "gold": "\n".join(sorted(_listed(row, "gold_ids"))),
            },
        )


def _id(row: Fields, name: str) -> str:
    found = row.identity(name)
    if found is None:
        row.reject(name, "is missing, and records are joined by it")
    return found


def _listed(row: Fields, name: str) -> set[str]:
    return {str(one) for one in row.items(name)} if row.has(name) else set()


def _cut(text: str, most: int) -> str:
    """The beginning of a text, at most `most` bytes of UTF-8."""
    return text.encode()[:most].decode(errors="ignore")


def runs(judged: Judged) -> Mapping[str, Run]:
    """The rankings of a query: of the first stage, by P(yes), and the hybrid; {} without a scored verdict."""
    verdict = judged.verdict
    if verdict is None or verdict.status is not Status.SCORED:
        return {}
    first = {one.id: one.first_stage_score or 0.0 for one in judged.item.request.candidates}
    hybrid = {one.candidate_id: one.score for one in verdict.scores if one.score is not None}
    return {
        "first stage": first,
        "judge": {name: (score - first[name]) / WEIGHT for name, score in hybrid.items()},
        "hybrid": hybrid,
    }


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    """nDCG@10 and the other figures of BRIGHT's scorer, per ranking and per task."""
    return _of_rankings([(one, runs(one)) for one in judged])


def ensemble(judged: Sequence[tuple[str, Sequence[Judged]]]) -> Report:
    """Several releases together, as the paper does with models of several sizes: P(yes) is their mean.

    Only queries that all of them ranked, with the same documents, are in the figures, so that the rankings
    can be compared: of each release, of their mean, and of the mean's hybrid with the first stage.

    Args:
        judged: each release and its judged items.
    """
    by_key: dict[str, list[tuple[str, Judged, Mapping[str, Run]]]] = {}
    for release, own in judged:
        for one in own:
            if found := runs(one):
                by_key.setdefault(one.item.key, []).append((release, one, found))
    rows: list[tuple[Judged, Mapping[str, Run]]] = []
    for every in by_key.values():
        _, one, found = every[0]
        first = found["first stage"]
        if len(every) < len(judged) or any(set(f["judge"]) != set(first) for *_, f in every):
            continue
        mean = {name: fmean(f["judge"][name] for *_, f in every) for name in first}
        rows.append(
            (
                one,
                {
                    "first stage": first,
                    **{release: f["judge"] for release, _, f in every},
                    "ensemble": mean,
                    "ensemble hybrid": {
                        name: WEIGHT * value + first[name] for name, value in mean.items()
                    },
                },
            )
        )
    return _of_rankings(rows, wanted=max(len(own) for _, own in judged))


def _of_rankings(
    rankings: Sequence[tuple[Judged, Mapping[str, Run]]], *, wanted: int | None = None
) -> Report:
    scored: dict[str, list[tuple[Judged, list[str], frozenset[str]]]] = {}
    for one, found in rankings:
        gold = frozenset(one.item.facts["gold"].split("\n")) - {""}
        for name, run in found.items():
            scored.setdefault(name, []).append((one, ranked(run), gold))
    figures = tuple(
        Figure.of(
            f"ndcg_10 {name}",
            clustered_mean([ndcg(order, gold) for _, order, gold in rows]),
            percent=False,
        )
        for name, rows in scored.items()
    )
    cells: list[tuple[Cell, ...]] = []
    for name, rows in scored.items():
        pairs = [(order, gold) for _, order, gold in rows]
        cells.append(
            (
                name,
                len(rows),
                fmean(average_precision(order, gold) for order, gold in pairs),
                fmean(reciprocal_rank(order, gold) for order, gold in pairs),
                fmean(precision(order, gold, 10) for order, gold in pairs),
                fmean(recall(order, gold, 10) for order, gold in pairs),
                fmean(recall(order, gold, 100) for order, gold in pairs),
            )
        )
    return Report(
        figures=figures,
        tables=(
            Table(
                title="rankings",
                head=("ranking", "queries", "map", "mrr", "P_10", "recall_10", "recall_100"),
                rows=tuple(cells),
                plot="map",
            ),
            _by_task(scored),
            Table(
                title="counts",
                head=("queries", "scored"),
                rows=(
                    (
                        len(rankings) if wanted is None else wanted,
                        sum(bool(found) for _, found in rankings),
                    ),
                ),
            ),
        ),
    )


def _by_task(
    scored: Mapping[str, Sequence[tuple[Judged, list[str], frozenset[str]]]],
) -> Table:
    """The mean nDCG@10 of each task; the paper's headline is the mean of these."""
    tasks = sorted({one.item.facts["task"] for rows in scored.values() for one, *_ in rows})
    cells: list[tuple[Cell, ...]] = []
    for task in tasks:
        means = [
            fmean(ndcg(order, gold) for one, order, gold in rows if one.item.facts["task"] == task)
            for rows in scored.values()
        ]
        cells.append((task or "-", *means))
    if len(tasks) > 1:
        columns = list(zip(*(row[1:] for row in cells), strict=True))
        cells.append(("mean of tasks", *(fmean(map(_number, column)) for column in columns)))
    return Table(title="ndcg_10 by task", head=("task", *scored), rows=tuple(cells))


def _number(cell: Cell) -> float:
    return float(cell) if isinstance(cell, int | float) else 0.0


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    """nDCG@10 of the hybrid, per query."""
    return {
        one.item.key: ndcg(
            ranked(found["hybrid"]), frozenset(one.item.facts["gold"].split("\n")) - {""}
        )
        for one in judged
        if (found := runs(one))
    }


SUITE = Suite(
    name="judgerank",
    title="JudgeRank on BRIGHT: a retriever's documents ranked again",
    paper="arXiv 2411.00142",
    files=FILES,
    items=items,
    report=report,
    values=values,
    orders=False,
    ensemble=ensemble,
)
