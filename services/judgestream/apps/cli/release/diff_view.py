"""Output of `judgestream release diff`, as text and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict

from judgestream.core.conversation import transcript
from judgestream.core.costs import dollars
from judgestream.core.limits import shortened
from judgestream.core.types import Candidate, Request, Verdict
from judgestream.core.verdict_text import outcome
from judgestream.evaluation.clusters import Mean
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.paired import PairedDifference
from judgestream.evaluation.release_diff import Compared, Kind, Side, Summary, reasons
from judgestream.terminal.output import line, paragraph, table

EXCERPT = 300
"""Characters of a question, an answer or an explanation that the text shows."""

WORDS: Mapping[Kind, str] = {
    Kind.AGREE: "same outcome",
    Kind.DIFFER: "different outcome",
    Kind.ONE_SCORED: "scored by one only",
    Kind.UNSCORED: "scored by neither",
    Kind.NO_WINNER: "of a mode without a winner",
}


def print_summary(found: Summary) -> None:
    line(f"A = {found.a.release}")
    line(f"B = {found.b.release}")
    line(
        f"{found.pairs} requests on {found.prompts} prompts were judged by both: "
        + ", ".join(f"{count} {WORDS[kind]}" for kind in Kind if (count := found.kinds.get(kind)))
    )
    line(f"agreement  {_share(found.agreement)}  kappa {_number(found.kappa)}")
    line(f"labels     {_labelled(found.labelled)}")
    table(("", "A", "B"), list(_rows(found.a, found.b)))


def print_disagreement(number: int, one: Compared, request: Request | None) -> None:
    line(f"{number}. request {one.a.request_id} ({one.a.mode})")
    if request is None:
        paragraph("its texts have left the topic of requests", indent=3)
    else:
        paragraph(f"question: {_excerpt(request.question)}", indent=3)
        for candidate in request.candidates:
            system = f" ({candidate.system})" if candidate.system else ""
            paragraph(f"answer {candidate.id}{system}: {_excerpt(_text(candidate))}", indent=3)
    for name, verdict in (("A", one.a), ("B", one.b)):
        paragraph(f"{name}: {_verdict(verdict)}", indent=3)
        if verdict.explanation:
            paragraph(_excerpt(verdict.explanation), indent=6)
    candidates = [score.candidate_id for score in (one.a.scores or one.b.scores)]
    if one.label is not None:
        paragraph(f"label: {one.label.winner(candidates) or 'tie'}", indent=3)
    for reason in reasons(one):
        paragraph(f"- {reason}", indent=3)


def summary_json(found: Summary) -> dict[str, object]:
    """Rates are shares, 0 to 1, null where nothing was compared."""
    labelled = found.labelled
    return {
        "pairs": found.pairs,
        "prompts": found.prompts,
        "kinds": {kind.value: found.kinds.get(kind, 0) for kind in Kind},
        "agreement": _mean_json(found.agreement),
        "kappa": found.kappa,
        "labels": None
        if labelled is None
        else {
            "n": labelled.n,
            "prompts": labelled.clusters,
            "a_minus_b": labelled.difference,
            "only_a_right": labelled.only_first,
            "only_b_right": labelled.only_second,
            "both_right": labelled.both,
            "neither_right": labelled.neither,
            "interval": _interval_json(labelled.interval),
        },
        "a": _side_json(found.a),
        "b": _side_json(found.b),
    }


def disagreement_json(one: Compared, request: Request | None) -> dict[str, object]:
    candidates = [score.candidate_id for score in (one.a.scores or one.b.scores)]
    return {
        "request_id": one.a.request_id,
        "mode": one.a.mode,
        "kind": one.kind.value,
        "question": None if request is None else request.question,
        "answers": None
        if request is None
        else [
            {"id": each.id, "system": each.system, "text": _text(each)}
            for each in request.candidates
        ],
        "a": _verdict_json(one.a),
        "b": _verdict_json(one.b),
        "label": None if one.label is None else one.label.winner(candidates) or "tie",
        "reasons": reasons(one),
    }


def _rows(a: Side, b: Side) -> list[tuple[str, str, str]]:
    sides = (a, b)
    rows = [
        ("scored", *(_share(one.scored) for one in sides)),
        ("flipped", *(_share(one.flipped) for one in sides)),
        ("median latency", *(_seconds(one.latency_s) for one in sides)),
        ("cost", *("-" if one.cost is None else dollars(one.cost) for one in sides)),
    ]
    if a.score is not None:
        rows.append(("mean score", *(_number(one.score) for one in sides)))
    return [(row[0], row[1], row[2]) for row in rows]


def _labelled(found: PairedDifference | None) -> str:
    if found is None:
        return "no pair has one"
    between = ""
    if found.interval is not None:
        low, high = found.interval.low, found.interval.high
        between = f" (95 %: {low:+.3f} to {high:+.3f})"
    return (
        f"A {found.difference:+.3f}{between} on {found.n}: only A right {found.only_first}, only B right"
        f" {found.only_second}, both {found.both}, neither {found.neither}"
    )


def _share(mean: Mean | None) -> str:
    if mean is None:
        return "-"
    if mean.interval is None:
        return f"{mean.value:.3f} of {mean.n}"
    return f"{mean.value:.3f} ({mean.interval.low:.3f} to {mean.interval.high:.3f}) of {mean.n}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g} s"


def _verdict(verdict: Verdict) -> str:
    parts = [outcome(verdict)]
    if verdict.p_win is not None and verdict.p_tie is not None and verdict.p_lose is not None:
        parts.append(f"P {verdict.p_win:.2f}/{verdict.p_tie:.2f}/{verdict.p_lose:.2f}")
    scores = [f"{s.score:.1f}" for s in verdict.scores if s.score is not None]
    if len(scores) > 1:
        parts.append(f"scores {' '.join(scores)}")
    return "  ".join(parts)


def _text(candidate: Candidate) -> str:
    return transcript(candidate.turns) if candidate.turns else candidate.text


def _excerpt(text: str) -> str:
    return shortened(" ".join(text.split()), EXCERPT)


def _verdict_json(verdict: Verdict) -> dict[str, object]:
    return {
        "release": verdict.release,
        "verdict_id": verdict.verdict_id,
        "status": verdict.status.value,
        "reason": verdict.reason or verdict.error_class,
        "winner": verdict.winner,
        "tie": verdict.tie,
        "p_win": verdict.p_win,
        "p_tie": verdict.p_tie,
        "p_lose": verdict.p_lose,
        "flipped": verdict.flipped,
        "scores": {score.candidate_id: score.score for score in verdict.scores},
        "explanation": verdict.explanation,
    }


def _side_json(side: Side) -> dict[str, object]:
    return {
        "release": side.release,
        "scored": _mean_json(side.scored),
        "flipped": _mean_json(side.flipped),
        "median_latency_s": side.latency_s,
        "cost": side.cost,
        "mean_score": side.score,
    }


def _mean_json(mean: Mean | None) -> dict[str, object] | None:
    if mean is None:
        return None
    return {
        "value": mean.value,
        "n": mean.n,
        "prompts": mean.clusters,
        "interval": _interval_json(mean.interval),
    }


def _interval_json(interval: Interval | None) -> dict[str, object] | None:
    return None if interval is None else asdict(interval)
