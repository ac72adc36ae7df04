"""`judgestream leaderboard`: strengths of the candidates' systems, from the verdict topic."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated

import typer

from judgestream.apps.cli.agreement_options import ClusterBy, Resamples, SegmentBy
from judgestream.apps.cli.reading import all_verdicts
from judgestream.core.types import Verdict
from judgestream.core.verdict_set import VerdictSet
from judgestream.evaluation.comparisons import Parameter
from judgestream.evaluation.leaderboard import Battle, Board, Place, Skipped, battle_of, leaderboard
from judgestream.settings import load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.output import OutputFormat, json_line, line, note, table

SEED = 20_231_017
Segment = tuple[str, str]
"""A release, and a value of the metadata key that names segments."""


def command(
    release: options.Release = None,
    segment: SegmentBy = "",
    style_control: Annotated[
        bool,
        typer.Option("--style-control", help="rate systems as if all answers had the same style"),
    ] = False,
    since: options.Since = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=options.moment, metavar="WHEN", help="only those judged before, as --since"
        ),
    ] = None,
    cluster_by: ClusterBy = "",
    resamples: Resamples = 0,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Rank the systems whose answers were compared, by Bradley and Terry's model with ties.

    Every judgement of two answers counts once, read from the verdict topic. The mean rating of a board is
    1000, and 400 points are odds of 10 to 1. Verdicts on one prompt count as one observation in the
    intervals. A system shares its rank with those whose intervals overlap. Each release, and each value of
    --segment, has a separate board. Exits 1 if no two systems were compared.
    """
    found: VerdictSet[tuple[Segment, Battle | Skipped] | None] = VerdictSet()
    for _, verdict in all_verdicts(load().kafka, release=release, since=since):
        kept = until is None or verdict.judged_at < until
        found.add(verdict, _battle(verdict, segment, cluster_by) if kept else None)
    boards = list(_boards(found, style_control=style_control, resamples=resamples))
    skipped: Counter[Skipped] = Counter()
    for (name, value), board in boards:
        skipped.update(board.skipped)
        if board.battles:
            shown = {"release": name} | ({segment: value} if segment else {})
            if form is OutputFormat.JSON:
                json_line(as_json(shown, board, style_control=style_control))
            else:
                print_board(shown, board)
    if not any(board.battles for _, board in boards):
        note(f"no two systems were compared{_after(skipped, ': ')}")
        raise typer.Exit(ExitCode.NO)


def as_json(shown: Mapping[str, str], board: Board, *, style_control: bool) -> dict[str, object]:
    """A board as one JSON object."""
    return {
        **shown,
        "style_control": style_control,
        "battles": board.battles,
        "prompts": board.prompts,
        "groups": board.groups,
        "tie_rate": board.tie_rate,
        "skipped": {str(reason): count for reason, count in board.skipped.items()},
        "systems": [_place_json(place) for place in board.places],
        "style": {
            name: None if one is None else _parameter_json(one) for name, one in board.style.items()
        },
    }


def print_board(shown: Mapping[str, str], board: Board) -> None:
    """A board as text."""
    line(", ".join(f"{key} {value or '(none)'}" for key, value in shown.items()))
    line(
        f"{board.battles} battles on {board.prompts} prompts, {100 * (board.tie_rate or 0):.1f} % ties"
    )
    if board.skipped:
        line(f"not battles: {_after(board.skipped, '')}")
    line()
    head = ("rank", "system", "rating", "95 % interval", "win rate", "battles")
    table(head, [_row(place) for place in board.places])
    if board.style:
        line()
        table(
            ("style", "log-odds a unit", "95 % interval"),
            [(name, *_style_row(one)) for name, one in board.style.items()],
        )
    if board.groups > 1:
        line(
            f"{board.groups} groups of systems never met: ratings of different groups do not compare"
        )
    line()


def _boards(
    found: VerdictSet[tuple[Segment, Battle | Skipped] | None],
    *,
    style_control: bool,
    resamples: int,
) -> Iterator[tuple[Segment, Board]]:
    groups: defaultdict[Segment, list[Battle | Skipped]] = defaultdict(list)
    for one in found:
        if one is not None:
            groups[one[0]].append(one[1])
    for key, rows in sorted(groups.items()):
        yield key, leaderboard(rows, style_control=style_control, resamples=resamples, seed=SEED)


def _battle(verdict: Verdict, segment: str, cluster_by: str) -> tuple[Segment, Battle | Skipped]:
    value = verdict.metadata.get(segment, "") if segment else ""
    return (verdict.release, value), battle_of(verdict, cluster_by)


def _row(place: Place) -> tuple[object, ...]:
    rating, rate = place.rating, place.win_rate
    ends = (
        ""
        if rating.interval is None
        else f"{rating.interval.low:.0f} to {rating.interval.high:.0f}"
    )
    return (
        place.rank,
        place.system,
        f"{rating.value:.0f}",
        ends,
        f"{100 * rate.value:.1f} %",
        place.battles,
    )


def _style_row(one: Parameter | None) -> tuple[str, str]:
    if one is None:
        return "-", "no answers differ"
    ends = one.interval
    return f"{one.value:+.3f}", "" if ends is None else f"{ends.low:+.3f} to {ends.high:+.3f}"


def _place_json(place: Place) -> dict[str, object]:
    rate = place.win_rate
    ends = rate.interval
    return {
        "system": place.system,
        "rank": place.rank,
        "rating": _parameter_json(place.rating),
        "battles": place.battles,
        "win_rate": {"value": rate.value}
        | ({} if ends is None else {"low": ends.low, "high": ends.high}),
    }


def _parameter_json(one: Parameter) -> dict[str, object]:
    ends = one.interval
    return {"value": one.value} | (
        {} if ends is None else {"low": ends.low, "high": ends.high, "method": ends.method}
    )


def _after(skipped: Mapping[Skipped, int], before: str) -> str:
    reasons = ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in skipped.items())
    return f"{before}{reasons}" if reasons else ""
