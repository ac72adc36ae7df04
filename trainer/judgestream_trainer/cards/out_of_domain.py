"""Readability and agreement on human-labelled pairs from outside the judge's training domain."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from judgestream.adapters.files.importing import Reading, import_files
from judgestream.core.formats import FORMATS
from judgestream.core.formats.base import Draft, finish
from judgestream.core.limits import EARLIEST
from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.preference import Preference
from judgestream.core.templates import JUDGELM
from judgestream.core.types import Request, Status
from judgestream.engine.judge import Judge
from judgestream.evaluation.majority import majority
from judgestream_trainer.cards.bundled import Card
from judgestream_trainer.cards.judging import run_passes


def labelled_pairs(path: Path) -> list[tuple[Request, int]]:
    """A file's requests, as `judgestream submit` makes them, with the majority of their labels.

    The majority is +1 for the first answer, 0 for a tie, -1 for the second. Pairs without one are left out.
    """
    rows: list[tuple[Request, int]] = []
    for row in import_files([path], Reading(formats=FORMATS)):
        if not isinstance(row.found, Draft):
            continue
        converted = finish(row.found, at=EARLIEST)
        winner = majority([label.winner for label in converted.labels])
        ids = [candidate.id for candidate in converted.request.candidates]
        side = Preference.of_winner(winner, ids) if winner is not None and len(ids) == 2 else None
        if side is not None:
            rows.append((converted.request, side))
    return rows


def with_out_of_domain(card: Card, judge: Judge, path: Path) -> Card:
    """The card with the judge's figures on PandaLM's test set."""
    return replace(card, out_of_domain=measure(judge, labelled_pairs(path), "PandaLM's test set"))


def measure(judge: Judge, rows: list[tuple[Request, int]], source: str) -> dict[str, Any]:
    """Readability and agreement on labelled requests, as plain numbers."""
    results = run_passes(judge, [request for request, _ in rows], PAIRWISE)
    settled = [PAIRWISE.settle(r, passes) for (r, _), passes in zip(rows, results, strict=True)]
    scored = [
        (Preference.of_winner(s.winner, [candidate.id for candidate in request.candidates]), label)
        for s, (request, label) in zip(settled, rows, strict=True)
        if s.status is Status.SCORED
    ]
    prompts = [p.prompt for request, _ in rows for p in plan(request, PAIRWISE, JUDGELM)]
    labels = Counter(label for _, label in rows)
    return {
        "source": source,
        "n": len(rows),
        "unreadable": 1 - len(scored) / len(rows),
        "longest": max(len(judge.checkpoint.tokens.prompt(prompt)) for prompt in prompts),
        "agreement": sum(a == b for a, b in scored) / len(scored) if scored else 0.0,
        "majority_class": labels.most_common(1)[0][1] / len(rows),
    }
