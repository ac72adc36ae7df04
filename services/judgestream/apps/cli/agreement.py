"""`judgestream agreement`: how far the judge agrees with people, a teacher, or a known truth."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import typer

from judgestream.adapters.kafka.consuming import Incoming
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
)
from judgestream.apps.cli.reading import all_verdicts, everything
from judgestream.contracts.codecs.labels import label_from_message
from judgestream.contracts.codecs.requests import NO_TIME
from judgestream.contracts.topics import LABELS, REQUESTS
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Label
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
from judgestream.v1.judging_pb2 import Label as LabelMessage


def agreement(
    release: options.Release = None,
    annotator: Annotators = None,
    since: options.Since = None,
    order_rule: Rule = OrderRule.AVERAGED,
    compare: Compare = None,
    classes: Classes = None,
    cluster_by: ClusterBy = "",
    resamples: Resamples = 0,
    min_accuracy: MinAccuracy = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Compare each release's verdicts with the majority of the labels of the same requests.

    Rates are over verdicts that are scored and have a majority label; what is left out is counted beside
    them. Verdicts on one prompt count as one observation in every interval. Macro precision, recall and F1
    are over the classes of the labels; see docs/design/statistics.md. Exits 1 when there is nothing
    to compare.
    """
    kafka = load().kafka
    ballots = Ballots(_labels(kafka), annotators=annotator or ())
    judged = _judged(kafka, since, cluster_by)
    by_release = _by_release(judged)
    pair = None if compare is None else _pair(by_release, release, compare)
    prompts, reused = _prompts(kafka)
    doubtful = ambiguous(judged) | reused
    results = [
        join(
            name,
            by_release.get(name, []),
            ballots,
            prompts=prompts,
            doubtful=doubtful,
            rule=order_rule,
            classes=[CLASSES[one] for one in classes] if classes else None,
            resamples=resamples,
        )
        for name in pair or ([release] if release is not None else sorted(by_release))
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
            view.tell(result)
    if paired_too:
        first, second = results
        _show_pair(first, second, form)
    if form is OutputFormat.TEXT:
        view.tell_labels(ballots)


def _show_pair(first: ReleaseAgreement, second: ReleaseAgreement, form: OutputFormat) -> None:
    found, *alone = paired(first, second)
    names, rest = (first.release, second.release), (alone[0], alone[1])
    if form is OutputFormat.JSON:
        json_line(view.pair_json(names, found, rest))
    else:
        view.tell_pair(names, found, rest)
        line()
    if found is not None and first.templates != second.templates:
        note("the releases use different templates: their tie rates do not compare")


def _labels(kafka: Kafka) -> Iterator[Label]:
    """Every label on the topic. One whose time is missing or unreadable has its record's time."""
    for incoming, message in everything(kafka, LABELS, LabelMessage):
        yield _label(incoming, message)


def _label(incoming: Incoming[LabelMessage], message: LabelMessage) -> Label:
    recorded = incoming.record.time or NO_TIME
    if message.HasField("labelled_at"):
        try:
            return label_from_message(message)
        except ValueError:
            message.ClearField("labelled_at")
    return replace(label_from_message(message), labelled_at=recorded)


def _judged(kafka: Kafka, since: datetime | None, cluster_key: str) -> list[ScoredVerdict]:
    """Every judgement of two candidates once, of all releases: what is ambiguous shows across them only."""
    kept: VerdictSet[ScoredVerdict | None] = VerdictSet()
    for _, verdict in all_verdicts(kafka, since=since):
        kept.add(verdict, ScoredVerdict.of(verdict, cluster_key=cluster_key))
    return [one for one in kept if one is not None]


def _by_release(judged: Iterable[ScoredVerdict]) -> dict[str, list[ScoredVerdict]]:
    found: dict[str, list[ScoredVerdict]] = {}
    for one in judged:
        found.setdefault(one.release, []).append(one)
    return found


def _prompts(kafka: Kafka) -> tuple[dict[str, int], set[str]]:
    """Request id -> its question's text, as a hash, for the requests that the topic still has; and the ids
    that stand for two questions."""
    known: dict[str, int] = {}
    reused: set[str] = set()
    for _, message in everything(kafka, REQUESTS, JudgeRequest):
        question = hash(message.question)
        if known.setdefault(message.request_id, question) != question:
            reused.add(message.request_id)
    return known, reused


def _pair(by_release: dict[str, list[ScoredVerdict]], release: str | None, other: str) -> list[str]:
    """The two releases to compare: the one asked for, or the only other one there is."""
    if other not in by_release:
        raise ConfigurationError(
            f"release {other} has no verdict; there are {', '.join(sorted(by_release)) or 'none'}"
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
    answered = {one.request_id for found in by_release.values() for one in found}
    without = sum(name not in answered for name in ballots)
    if without:
        note(f"{without} labelled requests have no verdict")


def _require_some(results: Iterable[ReleaseAgreement], ballots: Ballots) -> None:
    """Exit where there is nothing to compare, and name the annotators that there are."""
    if any(result.agreement.n for result in results):
        return
    note("nothing to compare: no scored verdict has a majority label")
    if not ballots and ballots.others:
        note(f"annotators on the topic: {', '.join(sorted(ballots.others)[:20])}")
    raise typer.Exit(ExitCode.NO)


def _gate(results: Sequence[ReleaseAgreement], least: float) -> None:
    """The lower end must reach the bound: a sample that merely happened to lie above proves nothing."""
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
