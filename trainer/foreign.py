"""Human-labelled pairs from elsewhere: does the judge stay readable on text it was not made for?"""

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from judgestream.core.modes import PAIRWISE, plan
from judgestream.core.templates import JUDGELM
from judgestream.core.types import Candidate, Request, Status
from judgestream.engine.judge import Judge
from trainer.card import Card
from trainer.evaluate import WHEN, run_passes


def load_pandalm(path: Path) -> list[tuple[Request, int]]:
    """PandaLM's test set as requests with the majority of three annotators: +1, 0, -1.

    Source: WeOpenML/PandaLM `testset-v1.json`, 999 rows. Its labels are 0 tie, 1 first, 2 second. A row
    whose annotators all differ counts as a tie.
    """
    rows: list[tuple[Request, int]] = []
    for row in json.loads(path.read_text(encoding="utf-8")):
        votes = Counter(row[f"annotator{k}"] for k in (1, 2, 3))
        label, count = votes.most_common(1)[0]
        request = Request(
            request_id=f"pandalm-{row['idx']}",
            mode=PAIRWISE.name,
            question="\n".join(t for t in (row["instruction"], row["input"]) if t),
            candidates=(
                Candidate(id="a", text=str(row["response1"])),
                Candidate(id="b", text=str(row["response2"])),
            ),
            requested_at=WHEN,
        )
        rows.append((request, {0: 0, 1: 1, 2: -1}[label] if count > 1 else 0))
    return rows


def with_foreign(card: Card, judge: Judge, path: Path) -> Card:
    """The card with its figures on PandaLM's test set."""
    return replace(card, foreign=measure_foreign(judge, load_pandalm(path), "PandaLM's test set"))


def measure_foreign(judge: Judge, rows: list[tuple[Request, int]], source: str) -> dict[str, Any]:
    """Readability and agreement on labelled requests, as plain numbers for the card."""
    results = run_passes(judge, [request for request, _ in rows], PAIRWISE)
    settled = [PAIRWISE.settle(r, passes) for (r, _), passes in zip(rows, results, strict=True)]
    side = {"a": 1, "b": -1, "": 0}
    scored = [
        (side[s.winner], label)
        for s, (_, label) in zip(settled, rows, strict=True)
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
