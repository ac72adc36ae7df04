"""`judgestream release diff A B`: where two releases disagree on the same requests, and why it matters."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Annotated

import typer

from judgestream.adapters.kafka.judged_requests import judged_by
from judgestream.adapters.kafka.request_join import with_requests
from judgestream.apps.cli.reading import all_labels
from judgestream.apps.cli.release import diff_view as view
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Verdict
from judgestream.evaluation.labels import Ballots
from judgestream.evaluation.release_diff import Compared, compared, most_telling, summary
from judgestream.evaluation.verdict_pairs import Judged, ambiguous_ids, pairs
from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note

EXPLANATION = 2_000
"""Characters of an explanation that memory holds for each verdict."""

Name = Annotated[str, typer.Argument(metavar="RELEASE", help="a release with verdicts")]


def diff_command(
    a: Name,
    b: Name,
    limit: Annotated[
        int, typer.Option("--limit", min=0, help="disagreements to show; all of them are counted")
    ] = 10,
    since: Annotated[
        datetime | None,
        typer.Option(
            "--since",
            parser=options.moment,
            metavar="WHEN",
            help="only requests made since: 90s, 10m, 2h or 3d ago, or ISO 8601 (UTC by default)",
        ),
    ] = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Show where two releases disagree on the same requests, and why it matters.

    Reads live verdicts, and those of shadow and `judgestream replay`. The disagreements that a label decides
    come first, then those in which one release has no verdict, then those in which both are sure. Requests on
    one prompt count as one cluster in every interval.

    Exits 1 if no request was judged by both.
    """
    if a == b:
        raise ConfigurationError(f"{a} cannot be compared with itself: name two releases")
    kafka = load().kafka
    judged = judged_by(kafka, (a, b), since=since, reduced=_reduced, on_skip=note)
    for name in (a, b):
        if not judged[name]:
            note(f"release {name} has no verdict: judge with it by `judgestream replay`")
    keys = [key for one in (a, b) for verdict in judged[one] if (key := Judged.of(verdict))]
    found = compared(
        list(pairs(judged[a], judged[b])),
        Ballots(all_labels(kafka)),
        ambiguous=ambiguous_ids(keys),
    )
    if not found:
        note(f"no request was judged by both {a} and {b}")
        raise typer.Exit(ExitCode.NO)
    figures = summary(found, a=a, b=b)
    shown = most_telling(found, limit)
    asked = (
        {
            id(one): request
            for one, request in with_requests(
                kafka,
                [(one.a.request_id, one.a.content_digest, one) for one in shown],
                on_skip=note,
            )
        }
        if shown
        else {}
    )
    if form is OutputFormat.JSON:
        json_line({"summary": view.summary_json(figures)})
        for one in shown:
            json_line(view.disagreement_json(one, asked.get(id(one))))
        return
    view.print_summary(figures)
    for number, one in enumerate(shown, start=1):
        line()
        view.print_disagreement(number, one, asked.get(id(one)))
    _print_rest(found, shown)


def _print_rest(found: Sequence[Compared], shown: Sequence[Compared]) -> None:
    rest = sum(one.disagree for one in found) - len(shown)
    if rest:
        line()
        note(f"{rest} more disagreements: --limit {rest + len(shown)} shows all")


def _reduced(verdict: Verdict) -> Verdict:
    """What the comparison needs, without the passes."""
    return replace(
        verdict, passes=(), members=(), metadata={}, explanation=verdict.explanation[:EXPLANATION]
    )
