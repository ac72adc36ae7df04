"""A verdict as OpenTelemetry's event `gen_ai.evaluation.result`.

The semantic conventions of generative AI are in development; these are the names of 2026. What they do not
name has the prefix `judgestream.`.
"""

from judgestream.core.limits import DETAIL, cut
from judgestream.core.types import Status, Verdict
from judgestream.telemetry.spans import Value

NAME = "gen_ai.evaluation.result"
RESPONSE_ID = "gen_ai.response.id"
"""Also the key of a request's metadata that names the judged completion."""


def attributes(verdict: Verdict, *, explanations: bool) -> dict[str, Value]:
    """The attributes of the event. Without `explanations` no text of a judge or a candidate is among them."""
    found: dict[str, Value | None] = {
        "gen_ai.evaluation.name": verdict.mode,
        "gen_ai.evaluation.score.value": score(verdict),
        "gen_ai.evaluation.score.label": label(verdict),
        "gen_ai.evaluation.explanation": cut(verdict.explanation, 4096) if explanations else "",
        RESPONSE_ID: cut(verdict.metadata.get(RESPONSE_ID, ""), DETAIL),
        "error.type": verdict.error_class or verdict.reason,
        "judgestream.request_id": verdict.request_id,
        "judgestream.verdict_id": verdict.verdict_id,
        "judgestream.release": verdict.release,
        "judgestream.status": str(verdict.status),
        "judgestream.confidence": verdict.confidence,
        "judgestream.flipped": verdict.flipped,
    }
    return {name: value for name, value in found.items() if value is not None and value != ""}


def score(verdict: Verdict) -> float | None:
    """Of one answer: its score. Of a pair: the probability that the first answer is better. Else none."""
    if verdict.status is not Status.SCORED:
        return None
    return verdict.scores[0].score if len(verdict.scores) == 1 else verdict.p_win


def label(verdict: Verdict) -> str:
    """`pass` or `fail` by a rubric with thresholds, `tie`, the place of the winner as `candidate 1`, or the
    status of a verdict that is not scored. Few different values, as the conventions ask."""
    if verdict.status is not Status.SCORED:
        return str(verdict.status)
    if verdict.passed is not None:
        return "pass" if verdict.passed else "fail"
    if verdict.tie:
        return "tie"
    for place, one in enumerate(verdict.scores, 1):
        if verdict.winner and one.candidate_id == verdict.winner:
            return f"candidate {place}"
    return ""
