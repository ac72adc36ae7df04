"""The outcome of submitted requests: counts, and reasons for missing scores."""

from collections import Counter
from collections.abc import Sequence
from statistics import median

from judgestream.adapters.kafka.following import Awaited, Results
from judgestream.core.types import Status
from judgestream.terminal.output import OutputFormat, json_line, note, table

NAMED = 5
"""Requests without a score that the summary names. The topics have all of them."""


def summarise(sent: Sequence[Awaited], results: Results, took_s: float, form: OutputFormat) -> None:
    verdicts = list(results.verdicts.values())
    by_status = Counter(verdict.status for verdict in verdicts)
    scored = [verdict for verdict in verdicts if verdict.status is Status.SCORED]
    places = Counter(
        next((k for k, s in enumerate(v.scores, start=1) if s.candidate_id == v.winner), 0)
        for v in scored
        if v.winner
    )
    compared = [verdict.flipped for verdict in scored if verdict.flipped is not None]
    summary: dict[str, object] = {
        "requests": len(sent),
        "scored": by_status[Status.SCORED],
        "unscored": by_status[Status.UNSCORED],
        "failed": by_status[Status.FAILED] + len(results.letters),
        "no_verdict": len(results.waiting),
        "judged_before": len(results.earlier),
        "first_won": places[1],
        "second_won": places[2],
        "ties": sum(verdict.tie for verdict in scored),
        "flips": sum(compared),
        "judged_in_both_orders": len(compared),
        "median_latency_s": round(median(v.latency_s for v in verdicts), 4) if verdicts else None,
        "took_s": round(took_s, 3),
        "releases": sorted({verdict.release for verdict in verdicts if verdict.release}),
    }
    if form is OutputFormat.JSON:
        json_line(summary)
    else:
        named = {"releases": ", ".join(sorted({v.release for v in verdicts if v.release}))}
        rows = [(name.replace("_", " "), value) for name, value in (summary | named).items()]
        table(("judged", ""), [(name, "-" if value is None else value) for name, value in rows])
    _print_reasons(results)


def _print_reasons(results: Results) -> None:
    if results.earlier:
        note(
            f"{len(results.earlier)} requests had been judged before; those verdicts are counted."
            " To judge them again, use --prefix"
        )
    reasons: dict[str, list[str]] = {}
    for identity, verdict in results.verdicts.items():
        if verdict.status is Status.UNSCORED:
            reasons.setdefault(f"unscored, {verdict.reason}", []).append(identity)
        elif verdict.status is Status.FAILED:
            reason = f"failed, {verdict.error_class}: {verdict.error_message}"
            reasons.setdefault(reason, []).append(identity)
    for identity, letter in results.letters.items():
        reason = f"failed, {letter.error_class}: {letter.error_message}"
        reasons.setdefault(reason, []).append(identity)
    for reason, identities in sorted(reasons.items(), key=lambda item: -len(item[1]))[:NAMED]:
        note(f"{reason} ({some(identities)})")


def some(identities: Sequence[str]) -> str:
    """The first few ids, and the number of further ones."""
    more = len(identities) - NAMED
    return ", ".join(identities[:NAMED]) + (f" and {more} more" if more > 0 else "")
