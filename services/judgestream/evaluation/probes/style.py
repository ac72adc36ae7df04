"""Format preference: whether the answer with more headers, list items or bold spans wins."""

from judgestream.core.types import RERANK, Status, Verdict
from judgestream.evaluation.probes.base import Counts, MetricDefinition, Probe

FEATURES = ("headers", "list_items", "bold")
"""Fields of `Style` beside words, whose part the length probe has."""


def observe(verdict: Verdict) -> Counts:
    """For a verdict with a winner: of each feature in which the two answers differ, whether the one with more
    of it won."""
    if verdict.status is not Status.SCORED or not verdict.winner or verdict.mode == RERANK:
        return {}
    if len(verdict.scores) != 2:
        return {}
    counts: dict[str, int] = {}
    styles = {score.candidate_id: score.style for score in verdict.scores}
    won = styles.pop(verdict.winner, None)
    lost = next(iter(styles.values()), None)
    if won is None or lost is None or len(styles) != 1:
        return {}
    for name in FEATURES:
        more, less = getattr(won, name), getattr(lost, name)
        if more != less:
            counts |= {f"{name}_pairs": 1, f"more_{name}_won": int(more > less)}
    return counts


def _definition(name: str, shown: str, metric: str) -> MetricDefinition:
    return MetricDefinition(
        name=metric,
        meaning=f"the answer with more {shown} wins, among winners over an answer with another number;"
        " 0.5 means none",
        count=lambda c: c[f"more_{name}_won"],
        n=lambda c: c[f"{name}_pairs"],
    )


STYLE = Probe(
    name="style",
    counts=tuple(count for name in FEATURES for count in (f"{name}_pairs", f"more_{name}_won")),
    observe=observe,
    definitions=(
        _definition("headers", "headers", "header_preference"),
        _definition("list_items", "list items", "list_preference"),
        _definition("bold", "bold spans", "bold_preference"),
    ),
)
