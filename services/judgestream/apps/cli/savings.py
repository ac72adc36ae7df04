"""`judgestream savings`: what a spending policy would save on the verdicts so far, and what it would lose."""

from typing import Annotated

import typer

from judgestream.apps.cli.agreement_options import Annotators
from judgestream.apps.cli.reading import all_labels, all_verdicts
from judgestream.core.errors import ConfigurationError
from judgestream.core.escalation import Ask, EscalationPolicy
from judgestream.core.types import Verdict
from judgestream.core.verdict_set import VerdictSet
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.savings import (
    Answer,
    BothOrders,
    Savings,
    answer_of,
    both_orders,
    cascade_savings,
    savings,
)
from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note, table

Reduced = tuple[str, BothOrders | None, tuple[str, Answer] | None]
BOUNDS = (0.6, 0.7, 0.8, 0.9, 0.95)


def command(
    release: options.Release = None,
    second_order_below: Annotated[
        list[float] | None,
        typer.Option(
            metavar="CONFIDENCE",
            help="ask the second order below this confidence of the first; repeatable;"
            " default: 0.6, 0.7, 0.8, 0.9 and 0.95",
        ),
    ] = None,
    release_below: Annotated[
        float,
        typer.Option(
            metavar="CONFIDENCE", help="ask the other release where both orders are below this"
        ),
    ] = 0.0,
    other: Annotated[
        str,
        typer.Option(
            metavar="RELEASE", help="the other release: a larger judge, or a jury, with verdicts"
        ),
    ] = "",
    cascade_below: Annotated[
        list[float] | None,
        typer.Option(
            metavar="CONFIDENCE",
            help="a cascade to --other below this confidence, against always asking --other; repeatable",
        ),
    ] = None,
    annotator: Annotators = None,
    since: options.Since = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """What asking the second order only where the first is unsure would have saved, and changed.

    Reads pairs that were judged in both orders. For each bound: the share of the cost that is saved against
    asking both orders of every pair (in dollars if all verdicts state a cost, else in tokens), the share of
    outcomes that change, and with labels the change of agreement. --release-below and --other also ask
    another release; only requests that it has judged, too, are counted then. --cascade-below and --other show
    a cascade of the two releases against always asking --other. Exits 1 without such pairs.
    """
    cascades = cascade_below or []
    if cascades and (not other or second_order_below or release_below):
        raise ConfigurationError(
            "--cascade-below compares a cascade with its last release: name that one with --other, and leave"
            " --second-order-below and --release-below out"
        )
    if not all(0 < bound <= 1 for bound in cascades):
        raise ConfigurationError("--cascade-below is a confidence above 0, at most 1")
    policies = [
        EscalationPolicy(second_order_below=1.0, release_below=bound, release=other)
        for bound in cascades
    ] or [
        EscalationPolicy(second_order_below=bound, release_below=release_below, release=other)
        for bound in second_order_below or BOUNDS
    ]
    kafka = load().kafka
    found: VerdictSet[Reduced] = VerdictSet()
    for _, verdict in all_verdicts(kafka, since=since):
        found.add(verdict, _reduced(verdict, other))
    kept = list(found)
    judges = sorted({name for name, pair, _ in kept if pair is not None and name != other})
    if release is None and len(judges) > 1:
        raise ConfigurationError(
            f"{len(judges)} releases judged both orders: name one with --release ({', '.join(judges)})"
        )
    wanted = release if release is not None else next(iter(judges), "")
    pairs = {pair.request_id: pair for name, pair, _ in kept if name == wanted and pair is not None}
    answers = {
        request_id: answer
        for name, _, reply in kept
        if name == other and reply is not None
        for request_id, answer in [reply]
    }
    ballots = Ballots(all_labels(kafka), annotators=annotator or ())
    results = [
        (policy, result)
        for policy in policies
        if (
            result := cascade_savings(policy.release_below, pairs.values(), answers, ballots)
            if cascades
            else savings(policy, pairs.values(), ballots, answers)
        )
        is not None
    ]
    if not results:
        note(
            "nothing to measure: no pair was judged in both orders"
            + (f" that release {other} judged where it would be asked" if other and pairs else "")
        )
        raise typer.Exit(ExitCode.NO)
    if form is OutputFormat.JSON:
        for policy, result in results:
            json_line({"release": wanted, **as_json(policy, result), "cascade": bool(cascades)})
        return
    _print(wanted, results, cascade=bool(cascades))


def as_json(policy: EscalationPolicy, found: Savings) -> dict[str, object]:
    """One policy's evaluation as one JSON object."""
    agreement = found.agreement
    return {
        "second_order_below": policy.second_order_below,
        "release_below": policy.release_below,
        "other": policy.release,
        "n": found.n,
        "missing": found.missing,
        "asked": {str(name): count for name, count in found.asked.items()},
        "unit": str(found.unit),
        "saved": {"value": found.saved} | _ends(found.interval),
        "changed": {"value": found.changed.value} | _ends(found.changed.interval),
        "agreement": None
        if agreement is None
        else {"difference": agreement.difference, "n": agreement.n} | _ends(agreement.interval),
    }


def _print(release: str, results: list[tuple[EscalationPolicy, Savings]], *, cascade: bool) -> None:
    policy, first = results[0]
    step = Ask.RELEASE if cascade else Ask.SECOND_ORDER
    line(
        f"release {release or '(none)'}: {first.n} pairs judged in both orders, cost in {first.unit}"
    )
    if cascade:
        line(f"a cascade to {policy.release}, against asking {policy.release} of every pair")
    line()
    rows = []
    for policy, found in results:
        agreement = found.agreement
        rows.append(
            (
                f"{policy.release_below if cascade else policy.second_order_below:g}",
                _share(found.saved, found.interval),
                f"{100 * found.asked.get(step, 0) / found.n:.1f} %",
                _share(found.changed.value, found.changed.interval),
                "-"
                if agreement is None
                else f"{100 * agreement.difference:+.1f}{_span(agreement.interval)}",
            )
        )
    asked = "escalated" if cascade else "second orders"
    table(("below", "saved", asked, "outcomes changed", "agreement, points"), rows)
    if first.missing:
        line(f"{first.missing} pairs left out: the other release has no verdict on them")
    if first.agreement is None:
        line("no pair has a label: the effect on agreement is unknown")


def _reduced(verdict: Verdict, other: str) -> Reduced:
    answer = answer_of(verdict) if other and verdict.release == other else None
    reply = None if answer is None else (verdict.request_id, answer)
    return verdict.release, both_orders(verdict), reply


def _share(value: float, interval: Interval | None) -> str:
    return f"{100 * value:.1f} %{_span(interval)}"


def _span(interval: Interval | None) -> str:
    return "" if interval is None else f" [{100 * interval.low:.1f}, {100 * interval.high:.1f}]"


def _ends(interval: Interval | None) -> dict[str, object]:
    return {} if interval is None else {"low": interval.low, "high": interval.high}
