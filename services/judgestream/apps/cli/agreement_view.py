"""What `judgestream agreement` shows: one report as text of at most 80 columns, and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict

from judgestream.evaluation.clusters import Mean
from judgestream.evaluation.delta import Figure
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.label_join import ReleaseAgreement
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.order_rules import INCONSISTENT
from judgestream.evaluation.paired import PairedDifference
from judgestream.terminal.output import line, table

OUTCOMES: Mapping[object, str] = {1: "first", 0: "tie", -1: "second"}

FEW = 10
"""Labels of a class; with fewer a remark says that the macro figures depend on them."""

Row = tuple[str, str, str, object]


def as_json(result: ReleaseAgreement, ballots: Ballots) -> dict[str, object]:
    """The report as one JSON object. Rates are shares, 0 to 1, null where nothing was compared."""
    found = result.agreement
    accuracy = result.accuracy
    return {
        "release": result.release,
        "order_rule": result.rule,
        "n": found.n,
        "clusters": 0 if accuracy is None else accuracy.clusters,
        "without_prompt": result.alone,
        "unscored": found.unscored,
        "failed": result.failed,
        "without_label": result.without_label,
        "no_majority": result.undecided,
        "mismatched": result.unknown_winner,
        "set_aside": dict(result.set_aside),
        "labels": labels_json(ballots),
        "classes": [named(one) for one in found.classes],
        "accuracy": _mean(accuracy),
        "accuracy_without_ties": _mean(result.accuracy_without_ties),
        **{name: _figure(one) for name, one in result.figures.items()},
        "judgelm": {
            "classes": [named(one) for one in found.judgelm.classes],
            "precision": found.judgelm.precision,
            "recall": found.judgelm.recall,
            "f1": found.judgelm.f1,
        },
        "calibration": _calibration(result),
        "brier": _mean(result.brier),
        "drawn": result.drawn,
        "winner_scores_lower": result.scores_differ,
        "confusion": [
            {"gold": named(gold), "judge": named(judge), "count": count}
            for (gold, judge), count in sorted(found.confusion.items(), key=str)
        ],
        "position": {name: _mean(one) for name, one in result.position.items()},
    }


def labels_json(ballots: Ballots) -> dict[str, object]:
    """What became of the labels."""
    return {
        "requests": len(ballots),
        "annotators": list(ballots.annotators),
        "superseded": ballots.superseded,
        "repeated": ballots.repeated,
        "invalid": {str(reason): count for reason, count in ballots.invalid.items()},
    }


def pair_json(
    names: tuple[str, str], found: PairedDifference | None, alone: tuple[int, int]
) -> dict[str, object]:
    """A paired comparison as one JSON object; `difference` is the first release less the second."""
    shown: dict[str, object] = {"compare": list(names), "only_first_judged": alone[0]}
    shown["only_second_judged"] = alone[1]
    if found is None:
        return shown | {"n": 0}
    values = asdict(found)
    interval = values.pop("interval")
    values["difference"] = {"value": found.difference} | (interval or {})
    return shown | values


def tell(result: ReleaseAgreement) -> None:
    """The report as text."""
    found = result.agreement
    line(f"release {result.release or '(none)'}, order rule {result.rule}")
    _counts(f"compared {found.n}", {"unscored": found.unscored, "failed": result.failed})
    _counts(
        "not compared:",
        {
            "without label": result.without_label,
            "without majority": result.undecided,
            "label names no candidate": result.unknown_winner,
            **{f"{reason} set aside": count for reason, count in result.set_aside.items()},
        },
    )
    if result.accuracy is not None:
        _prompts(result.accuracy, result.alone)
    line()
    table(("metric", "value", "95 % interval", "n"), _rows(result))
    line()
    _confusion(result)
    for remark in remarks(result):
        line(remark)
    line()


def tell_labels(ballots: Ballots) -> None:
    """What became of the labels, in one or two lines."""
    known = ballots.annotators
    shown = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
    line(
        f"labels on {len(ballots)} requests by {len(known)} annotators{f': {shown}' if known else ''}"
    )
    _counts("superseded by a later label of the same annotator:", {"": ballots.superseded})
    _counts("invalid:", {str(reason): count for reason, count in ballots.invalid.items()})


def tell_pair(
    names: tuple[str, str], found: PairedDifference | None, alone: tuple[int, int]
) -> None:
    """A paired comparison as text."""
    line(f"first:  {names[0]}")
    line(f"second: {names[1]}")
    if found is None:
        line("no request was judged by both and has a majority label")
        return
    line(
        f"compared on {found.n} requests, {found.clusters} prompts; judged by one only: {sum(alone)}"
    )
    ends = found.interval
    span = "" if ends is None else f" [{100 * ends.low:+.1f}, {100 * ends.high:+.1f}]"
    line(f"accuracy, first less second: {100 * found.difference:+.1f} points{span}")
    table(
        ("right", "requests"),
        [
            ("both", found.both),
            ("only the first", found.only_first),
            ("only the second", found.only_second),
            ("neither", found.neither),
        ],
    )
    line(f"McNemar's exact p {found.p_value:.4f}{_shared(found)}")


def remarks(result: ReleaseAgreement) -> list[str]:
    """What a reader would otherwise take for something else, one line each."""
    found: list[str] = []
    if result.agreement.n and result.figures["kappa"].value is None:
        found.append("kappa and pi have no value: only one outcome occurs, chance explains it all")
    counts = [
        sum(c for (g, _), c in result.agreement.confusion.items() if g == one) for one in (0,)
    ]
    if 0 < counts[0] < 10:
        found.append(f"only {counts[0]} labels are ties: what depends on them is uncertain")
    if result.drawn:
        found.append(f"{result.drawn} ties are draws: first and second are equally probable")
    if result.scores_differ:
        found.append(f"{result.scores_differ} winners have the lower expected score")
    if result.calibration is not None and not result.calibration.calibrated:
        found.append("confidences are off: more than chance explains, see ece")
    return found


def named(outcome: object) -> str:
    return OUTCOMES.get(outcome, str(outcome))


def _rows(result: ReleaseAgreement) -> list[Row]:
    found, figures = result.agreement, result.figures
    rows = [
        _share("accuracy", result.accuracy),
        _share("accuracy without ties", result.accuracy_without_ties),
        _plain("kappa", figures["kappa"]),
        _plain("Scott's pi", figures["scott_pi"]),
    ]
    over = ", ".join(named(one) for one in found.classes)
    rows += [_share(f"macro {name}", figures[name]) for name in ("precision", "recall", "f1")]
    if found.classes:
        rows.append((f"  over {over}", "", "", ""))
    if found.judgelm.classes != found.classes:
        rows.append(_value("JudgeLM's f1", found.judgelm.f1, None, found.n))
    rows += [_share(name.replace("_", " "), one) for name, one in result.position.items()]
    if result.calibration is not None:
        told = result.calibration
        rows.append(_value("ece", told.ece, told.interval, told.n))
        rows.append(_value("  of a calibrated judge", told.if_calibrated, None, told.n))
    if result.brier is not None:
        rows.append(_plain("Brier score", result.brier))
    return rows


def _share(name: str, of: Mean | Figure | None) -> Row:
    if of is None:
        return name, "-", "", 0
    return _value(name, of.value, of.interval, of.n)


def _value(name: str, value: float | None, interval: Interval | None, n: int) -> Row:
    shown = "-" if value is None else f"{100 * value:.1f} %"
    ends = "" if interval is None else f"{100 * interval.low:.1f} to {100 * interval.high:.1f}"
    return name, shown, ends, n


def _plain(name: str, of: Mean | Figure) -> Row:
    """A figure that is not a share."""
    shown = "-" if of.value is None else f"{of.value:.3f}"
    ends = "" if of.interval is None else f"{of.interval.low:.3f} to {of.interval.high:.3f}"
    return name, shown, ends, of.n


def _confusion(result: ReleaseAgreement) -> None:
    confusion = result.agreement.confusion
    said = [*OUTCOMES] + ([INCONSISTENT] if any(p == INCONSISTENT for _, p in confusion) else [])
    table(
        ("label \\ judge", *(named(one) for one in said)),
        [(named(gold), *(confusion.get((gold, one), 0) for one in said)) for gold in OUTCOMES],
    )


def _counts(head: str, counts: Mapping[str, int]) -> None:
    """`head` and what is not 0; nothing where a head with a colon would stand alone."""
    told = [f"{name} {count}".strip() for name, count in counts.items() if count]
    if told or not head.endswith(":"):
        line(f"{head}{' ' if head.endswith(':') else ', '}{', '.join(told)}".rstrip(", "))


def _prompts(of: Mean, alone: int) -> None:
    if of.clusters < of.n:
        line(
            f"on {of.clusters} prompts: intervals count prompts, design effect {of.design_effect:.1f}"
        )
    if alone:
        line(f"prompt unknown {alone}: each of them counts as a prompt of its own")


def _shared(found: PairedDifference) -> str:
    return "; it takes requests for independent" if found.clusters < found.n else ""


def _mean(of: Mean | None) -> dict[str, object]:
    if of is None:
        return {"value": None, "n": 0}
    return _told(of.value, of.n, of.clusters, of.design_effect, of.interval)


def _figure(of: Figure) -> dict[str, object]:
    return _told(of.value, of.n, of.clusters, of.design_effect, of.interval)


def _told(
    value: float | None, n: int, clusters: int, effect: float, interval: Interval | None
) -> dict[str, object]:
    shown: dict[str, object] = {
        "value": value,
        "n": n,
        "clusters": clusters,
        "design_effect": effect,
    }
    if interval is not None:
        shown |= {"low": interval.low, "high": interval.high, "method": interval.method}
    return shown


def _calibration(result: ReleaseAgreement) -> dict[str, object] | None:
    told = result.calibration
    if told is None:
        return None
    return {
        "ece": told.ece,
        "debiased": told.debiased,
        "low": told.interval.low,
        "high": told.interval.high,
        "if_calibrated": told.if_calibrated,
        "at_most_if_calibrated": told.at_most,
        "calibrated": told.calibrated,
        "n": told.n,
    }
