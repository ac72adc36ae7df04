"""Output of `judgestream agreement`: reports as text of at most 80 columns, and as JSON."""

from collections import Counter
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

FEW_LABELS = 10
"""With fewer labels of a class, figures that depend on it are uncertain."""
FEW_PROMPTS = 20
"""With fewer prompts intervals can cover less than they say: 88 % in the worst simulated case."""
DOMINANT = 0.8
"""Share of one outcome among the labels above which always guessing it looks accurate."""
NOTABLE = 0.02
"""Difference between kappa and pi that is worth a remark; pi is never above kappa."""

Row = tuple[str, str, str, object]


def as_json(result: ReleaseAgreement, ballots: Ballots) -> dict[str, object]:
    """The report as one JSON object. Rates are shares, 0 to 1, null where nothing was compared."""
    found = result.agreement
    accuracy = result.accuracy
    return {
        "release": result.release,
        **({"segment": result.segment} if result.segment else {}),
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
        "annotators_alpha": _figure(result.annotators),
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
    """How many labels were used, superseded, repeated and invalid."""
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


def print_release(result: ReleaseAgreement) -> None:
    """The report as text."""
    found = result.agreement
    segment = f", segment {result.segment}" if result.segment else ""
    line(f"release {result.release or '(none)'}{segment}, order rule {result.rule}")
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


def print_labels(ballots: Ballots) -> None:
    """The same in one to three lines of text."""
    known = ballots.annotators
    shown = ", ".join(known[:5]) + (", ..." if len(known) > 5 else "")
    line(
        f"labels on {len(ballots)} requests by {len(known)} annotators{f': {shown}' if known else ''}"
    )
    _counts("superseded by a later label of the same annotator:", {"": ballots.superseded})
    _counts("invalid:", {str(reason): count for reason, count in ballots.invalid.items()})


def print_pair(
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
    """Which figure to use for this data, and what could be misread; one line each."""
    if not result.agreement.n:
        return []
    lines = _choice_of_figure(result)
    if result.drawn:
        lines.append(f"{result.drawn} ties are draws: first and second are equally probable")
    if result.scores_differ:
        lines.append(f"{result.scores_differ} winners have the lower expected score")
    if result.calibration is not None and not result.calibration.calibrated:
        lines.append("confidences are miscalibrated beyond chance, see ece")
    return lines


def _choice_of_figure(result: ReleaseAgreement) -> list[str]:
    gold: Counter[object] = Counter()
    for (label, _), count in result.agreement.confusion.items():
        gold[label] += count
    kappa, pi = (result.figures[name].value for name in ("kappa", "scott_pi"))
    outcome, most = gold.most_common(1)[0]
    share = most / gold.total()
    lines: list[str] = []
    if kappa is None or pi is None:
        lines.append("kappa and pi are undefined: only one outcome occurs")
    elif kappa - pi > NOTABLE:
        lines.append("outcome shares of judge and labels differ: use Scott's pi, not kappa")
    if share > DOMINANT:
        lines.append(
            f"{share:.0%} of the labels are {named(outcome)}: use kappa or f1, not accuracy"
        )
    if 0 < gold[0] < FEW_LABELS:
        lines.append(f"only {gold[0]} labels are ties: accuracy without ties is more certain")
    if result.accuracy is not None and result.accuracy.clusters < FEW_PROMPTS:
        lines.append(f"only {result.accuracy.clusters} prompts: the intervals may be too narrow")
    return lines


def named(outcome: object) -> str:
    return OUTCOMES.get(outcome, str(outcome))


def _rows(result: ReleaseAgreement) -> list[Row]:
    found, figures = result.agreement, result.figures
    rows = [
        _share("accuracy", result.accuracy),
        _share("accuracy without ties", result.accuracy_without_ties),
        _plain("kappa", figures["kappa"]),
        _plain("Scott's pi", figures["scott_pi"]),
        _plain("Krippendorff's alpha", figures["alpha"]),
    ]
    over = ", ".join(named(one) for one in found.classes)
    rows += [_share(f"macro {name}", figures[name]) for name in ("precision", "recall", "f1")]
    if found.classes:
        rows.append((f"  over {over}", "", "", ""))
    if found.judgelm.classes != found.classes:
        rows.append(_value("JudgeLM's f1", found.judgelm.f1, None, found.n))
    rows += [_share(name.replace("_", " "), one) for name, one in result.position.items()]
    if result.annotators.value is not None:
        rows.append(_plain("alpha among annotators", result.annotators))
    if result.calibration is not None:
        calibration = result.calibration
        rows.append(_value("ece", calibration.ece, calibration.interval, calibration.n))
        rows.append(_value("  if calibrated", calibration.if_calibrated, None, calibration.n))
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
    """A row of a figure that is not a share."""
    shown = "-" if of.value is None else f"{of.value:.3f}"
    ends = "" if of.interval is None else f"{of.interval.low:.3f} to {of.interval.high:.3f}"
    return name, shown, ends, of.n


def _confusion(result: ReleaseAgreement) -> None:
    confusion = result.agreement.confusion
    columns = [*OUTCOMES] + ([INCONSISTENT] if any(p == INCONSISTENT for _, p in confusion) else [])
    table(
        ("label \\ judge", *(named(one) for one in columns)),
        [(named(gold), *(confusion.get((gold, one), 0) for one in columns)) for gold in OUTCOMES],
    )


def _counts(head: str, counts: Mapping[str, int]) -> None:
    """`head` and the counts that are not 0. Nothing is printed for a head with a colon and no count."""
    shown = [f"{name} {count}".strip() for name, count in counts.items() if count]
    if shown or not head.endswith(":"):
        line(f"{head}{' ' if head.endswith(':') else ', '}{', '.join(shown)}".rstrip(", "))


def _prompts(of: Mean, alone: int) -> None:
    if of.clusters < of.n:
        line(
            f"on {of.clusters} prompts: intervals count prompts, design effect {of.design_effect:.1f}"
        )
    if alone:
        line(f"{alone} verdicts have an unknown prompt: each counts as a separate prompt")


def _shared(found: PairedDifference) -> str:
    return "; assumes independent requests, so use the interval" if found.clusters < found.n else ""


def _mean(of: Mean | None) -> dict[str, object]:
    if of is None:
        return {"value": None, "n": 0}
    return _interval_json(of.value, of.n, of.clusters, of.design_effect, of.interval)


def _figure(of: Figure) -> dict[str, object]:
    return _interval_json(of.value, of.n, of.clusters, of.design_effect, of.interval)


def _interval_json(
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
    calibration = result.calibration
    if calibration is None:
        return None
    return {
        "ece": calibration.ece,
        "debiased": calibration.debiased,
        "low": calibration.interval.low,
        "high": calibration.interval.high,
        "if_calibrated": calibration.if_calibrated,
        "at_most_if_calibrated": calibration.at_most,
        "calibrated": calibration.calibrated,
        "n": calibration.n,
    }
