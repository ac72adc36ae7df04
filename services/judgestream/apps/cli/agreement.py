"""`judgestream agreement`: agreement of the judge with people, a teacher, or a known truth."""

from collections.abc import Iterable, Sequence
from datetime import datetime

import typer

from judgestream.apps.cli import agreement_view as view
from judgestream.apps.cli.agreement_options import (
    CLASSES,
    Annotators,
    Classes,
    ClusterBy,
    Compare,
    MinAccuracy,
    Resamples,
    Rule,
    SegmentBy,
)
from judgestream.apps.cli.reading import all_labels, all_verdicts, everything
from judgestream.contracts.codecs.requests import request_from_message
from judgestream.contracts.topics import REQUESTS
from judgestream.core.errors import ConfigurationError, InvalidRequest
from judgestream.core.identity import prompt_digest
from judgestream.core.verdict_set import VerdictSet
from judgestream.evaluation.label_join import ReleaseAgreement, join, paired
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.scored_verdict import ScoredVerdict, ambiguous
from judgestream.settings import Kafka, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note
from judgestream.v1.judging_pb2 import JudgeRequest


def agreement(
    release: options.Release = None,
    annotator: Annotators = None,
    since: options.Since = None,
    order_rule: Rule = OrderRule.AVERAGED,
    compare: Compare = None,
    segment: SegmentBy = "",
    classes: Classes = None,
    cluster_by: ClusterBy = "",
    resamples: Resamples = 0,
    min_accuracy: MinAccuracy = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Compare each release's verdicts with the majority of the labels of the same requests.

    Which figure to use: accuracy for the share of right verdicts; kappa if one outcome dominates the labels;
    Scott's pi if the outcome shares of judge and labels differ; macro F1 if every outcome matters equally;
    the Brier score if you act on the probabilities; --compare to choose between two judges. The report
    notes which of these applies.

    Rates are over scored verdicts with a majority label; the others are counted separately. In every interval
    the verdicts on one prompt count as one observation. docs/design/statistics.md defines every figure.
    Exits 1 if there is nothing to compare.
    """
    kafka = load().kafka
    ballots = Ballots(all_labels(kafka), annotators=annotator or ())
    judged = _judged(kafka, since, cluster_by, segment)
    by_release = _by_release(judged)
    pair = None if compare is None else _pair(by_release, release, compare)
    prompts, reused = _prompts(kafka)
    doubtful = ambiguous(judged) | reused
    if segment and compare is not None:
        raise ConfigurationError("--compare and --segment exclude each other: use one of them")
    results = [
        join(
            name,
            verdicts,
            ballots,
            segment=value,
            prompts=prompts,
            doubtful=doubtful,
            rule=order_rule,
            classes=[CLASSES[one] for one in classes] if classes else None,
            resamples=resamples,
        )
        for name in pair or ([release] if release is not None else sorted(by_release))
        for value, verdicts in _by_segment(by_release.get(name, []))
    ]
    _show(results, ballots, form, paired_too=pair is not None)
    _unanswered(ballots, by_release)
    _require_some(results, ballots)
    if min_accuracy is not None:
        _gate(results, min_accuracy)


def _show(
    results: Sequence[ReleaseAgreement],
    ballots: Ballots,
    form: OutputFormat,
    *,
    paired_too: bool,
) -> None:
    for result in results:
        if form is OutputFormat.JSON:
            json_line(view.as_json(result, ballots))
        else:
            view.print_release(result)
    if paired_too:
        first, second = results
        _show_pair(first, second, form)
    if form is OutputFormat.TEXT:
        view.print_labels(ballots)


def _show_pair(first: ReleaseAgreement, second: ReleaseAgreement, form: OutputFormat) -> None:
    difference, *alone = paired(first, second)
    names, rest = (first.release, second.release), (alone[0], alone[1])
    if form is OutputFormat.JSON:
        json_line(view.pair_json(names, difference, rest))
    else:
        view.print_pair(names, difference, rest)
        line()
    if difference is not None and first.templates != second.templates:
        note("the releases use different templates: their tie rates do not compare")


def _judged(
    kafka: Kafka, since: datetime | None, cluster_key: str, segment_key: str
) -> list[ScoredVerdict]:
    """Every judgement of two candidates once, of all releases: only together do they show ambiguous ids."""
    kept: VerdictSet[ScoredVerdict | None] = VerdictSet()
    for _, verdict in all_verdicts(kafka, since=since):
        kept.add(
            verdict, ScoredVerdict.of(verdict, cluster_key=cluster_key, segment_key=segment_key)
        )
    return [one for one in kept if one is not None]


def _by_release(judged: Iterable[ScoredVerdict]) -> dict[str, list[ScoredVerdict]]:
    by_release: dict[str, list[ScoredVerdict]] = {}
    for verdict in judged:
        by_release.setdefault(verdict.release, []).append(verdict)
    return by_release


def _by_segment(verdicts: list[ScoredVerdict]) -> list[tuple[str, list[ScoredVerdict]]]:
    """The verdicts by segment, in order; one empty segment without verdicts."""
    found: dict[str, list[ScoredVerdict]] = {}
    for one in verdicts:
        found.setdefault(one.segment, []).append(one)
    return sorted(found.items()) or [("", [])]


def _prompts(kafka: Kafka) -> tuple[dict[str, str], set[str]]:
    """Request id -> digest of its prompt, for requests still on the topic; and the ids with two prompts."""
    known: dict[str, str] = {}
    reused: set[str] = set()
    for _, message in everything(kafka, REQUESTS, JudgeRequest):
        try:
            prompt = prompt_digest(request_from_message(message))
        except InvalidRequest:
            continue  # never judged: its dead letter says why
        if known.setdefault(message.request_id, prompt) != prompt:
            reused.add(message.request_id)
    return known, reused


def _pair(by_release: dict[str, list[ScoredVerdict]], release: str | None, other: str) -> list[str]:
    """The two releases to compare: the requested one, or the only one besides `other`."""
    if other not in by_release:
        raise ConfigurationError(
            f"release {other} has no verdict: use one of {', '.join(sorted(by_release)) or 'none'}"
        )
    rest = [name for name in sorted(by_release) if name != other]
    if release is None and len(rest) != 1:
        raise ConfigurationError(
            f"{len(rest)} releases can be compared with {other}: name one with --release"
            f" ({', '.join(rest) or 'no other has a verdict'})"
        )
    first = rest[0] if release is None else release
    if first == other:
        raise ConfigurationError(f"{other} cannot be compared with itself: name two releases")
    return [first, other]


def _unanswered(ballots: Ballots, by_release: dict[str, list[ScoredVerdict]]) -> None:
    answered = {verdict.request_id for verdicts in by_release.values() for verdict in verdicts}
    without = sum(name not in answered for name in ballots)
    if without:
        note(f"{without} labelled requests have no verdict")


def _require_some(results: Iterable[ReleaseAgreement], ballots: Ballots) -> None:
    """Exit if there is nothing to compare, and name the annotators on the topic."""
    if any(result.agreement.n for result in results):
        return
    note("nothing to compare: no scored verdict has a majority label")
    if not ballots and ballots.others:
        note(f"annotators on the topic: {', '.join(sorted(ballots.others)[:20])}")
    raise typer.Exit(ExitCode.NO)


def _gate(results: Sequence[ReleaseAgreement], least: float) -> None:
    """The lower end of the interval must reach the bound: a sample above it by chance proves nothing."""
    short = False
    for result in results:
        interval = None if result.accuracy is None else result.accuracy.interval
        if interval is None or interval.low < least:
            low = "nothing" if interval is None else f"{interval.low:.3f}"
            note(
                f"release {result.release}: not shown to reach an accuracy of {least}"
                f" (the 95 % interval begins at {low})"
            )
            short = True
    if short:
        raise typer.Exit(ExitCode.NO)
