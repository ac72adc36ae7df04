"""`judgestream replay`: judge old requests again under another release, beside live traffic."""

import asyncio
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.core.costs import dollars
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Settings, load
from judgestream.terminal import options
from judgestream.terminal.exit_codes import ExitCode
from judgestream.terminal.options import moment
from judgestream.terminal.output import OutputFormat, ProgressCounter, json_line, line, note

if TYPE_CHECKING:
    from judgestream.apps.replay.connection import Connected
    from judgestream.apps.replay.running import Replay
    from judgestream.apps.replay.selection import Selection
    from judgestream.apps.replay.survey import Survey
    from judgestream.core.replay_cost import Estimate

NAMED = 5
"""Records that cannot be judged and are named. All of them are counted."""


def replay(
    start: Annotated[
        list[str],
        typer.Option(
            "--from",
            metavar="OFFSET|TIME|FILTER",
            help="requests to judge: from an offset (120; 3:120 of partition 3 only) or a time (2h, 3d,"
            " ISO 8601); conditions (mode=pairwise, system=NAME, metadata.KEY=VALUE) may be added by another"
            " --from. 0 for all",
        ),
    ],
    release: Annotated[str, typer.Option("--release", metavar="NAME", help="a loaded release")],
    end: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="OFFSET|TIME", help="the first request to leave out; default: none"
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", min=1, help="only the oldest N of them")
    ] = None,
    at_once: Annotated[
        int, typer.Option("--at-once", min=1, max=256, help="requests in flight")
    ] = 4,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="judge those with a failed verdict again")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="do not ask before it starts")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="print the cost, and judge nothing")
    ] = False,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Judge old requests again under a release that is loaded, without touching live traffic.

    The verdicts go to judge.shadow.v1 only, with the ids that the same judgements have in live traffic. What
    the release has judged already is left out, so a replay that was stopped continues where it was, and a
    second one does nothing. The number of requests, the cost and the time are shown before it starts. Compare
    the verdicts with `judgestream release diff`.

    Exits 1 when some verdicts are unscored or failed, or some records cannot be judged.
    """
    from judgestream.apps.replay.selection import Selection

    selection = Selection.of(start, end, limit=limit, moment=moment)
    asyncio.run(
        _replay(
            load(),
            selection,
            release,
            at_once=at_once,
            retry_failed=retry_failed,
            ask=not yes,
            dry_run=dry_run,
            form=form,
        )
    )


async def _replay(
    settings: Settings,
    selection: "Selection",
    release: str,
    *,
    at_once: int,
    retry_failed: bool,
    ask: bool,
    dry_run: bool,
    form: OutputFormat,
) -> None:
    from judgestream.apps.replay.connection import open_release
    from judgestream.apps.replay.survey import survey
    from judgestream.core.replay_cost import estimate

    if not release.strip():
        raise ConfigurationError("--release is empty: name a release of `judgestream release list`")
    async with open_release(settings, release) as connected:
        skipped, stop = _Skipped(), threading.Event()
        try:
            found = await asyncio.to_thread(
                survey,
                settings.kafka,
                selection,
                connected.judge,
                retry_failed=retry_failed,
                on_skip=skipped,
                stopped=stop.is_set,
            )
        finally:
            stop.set()  # the thread of a cancelled call ends by itself
        expected = estimate(
            (one.sizes for one in found.todo.values()), connected.asked, at_once=at_once
        )
        skipped.more()
        if form is OutputFormat.TEXT:
            _show(found, expected, release)
        if dry_run:
            if form is OutputFormat.JSON:
                json_line(_as_json(release, found, expected))
        elif not found.todo:
            _finish(release, found, expected, None, form)
        else:
            if ask:
                _confirm()
            done = await _run(settings, selection, connected, found, at_once=at_once)
            _finish(release, found, expected, done, form)


async def _run(
    settings: Settings,
    selection: "Selection",
    connected: "Connected",
    found: "Survey",
    *,
    at_once: int,
) -> "Replay":
    from judgestream.adapters.images.fetching import ImageFetcher
    from judgestream.adapters.kafka.producer import Publisher
    from judgestream.apps.replay.running import Replay

    publisher = Publisher(settings.kafka, client_id="judgestream-replay")
    await publisher.start()
    try:
        async with ImageFetcher(settings.images) as images:
            with ProgressCounter("judged", len(found.todo)) as progress:
                running = Replay(
                    settings=settings,
                    judge=connected.judge,
                    status=connected.status,
                    publisher=publisher,
                    images=images,
                    at_once=at_once,
                    on_progress=progress.set,
                )
                await running.run(selection, found.todo)
    except BaseException:
        note("stopped: run the same command again to continue with the rest")
        raise
    finally:
        await publisher.stop()
    return running


class _Skipped:
    """Names the first records that cannot be judged."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, sentence: str) -> None:
        self._count += 1
        if self._count <= NAMED:
            note(sentence)

    def more(self) -> None:
        if self._count > NAMED:
            note(f"and {self._count - NAMED} more records that cannot be judged")


def _show(found: "Survey", expected: "Estimate", release: str) -> None:
    done = found.shadow + found.live
    note(f"{expected.requests} requests to judge with {release}")
    if done:
        note(f"{done} more are judged by it already ({found.failed} of them failed)")
    if not expected.requests:
        return
    note(
        f"about {expected.input_tokens:,} prompt tokens, at most {expected.output_tokens:,} output tokens"
    )
    if expected.cost_in is None or expected.cost_at_most is None:
        note("cost: the release states no prices")
    else:
        note(
            f"cost: about {dollars(expected.cost_in)} for the prompts,"
            f" at most about {dollars(expected.cost_at_most)} in all"
        )
    note(f"time: about {_duration(expected.seconds)}")


def _confirm() -> None:
    if not sys.stdin.isatty():
        raise ConfigurationError(
            "the cost cannot be confirmed without a terminal: give --yes, or --dry-run to see it only"
        )
    if not typer.confirm("Judge them?", err=True):
        raise typer.Exit(ExitCode.NO)


def _finish(
    release: str,
    found: "Survey",
    expected: "Estimate",
    done: "Replay | None",
    form: OutputFormat,
) -> None:
    counts = done.counts if done is not None else {}
    if form is OutputFormat.JSON:
        spent = done.cost if done is not None else 0.0
        json_line({**_as_json(release, found, expected), "judged": dict(counts), "cost": spent})
    elif done is not None:
        line(
            f"judged {sum(counts.values())}: "
            + ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
            + (f"; cost {dollars(done.cost)}" if done.cost else "")
        )
    else:
        line("nothing to judge")
    if found.refused or any(count for status, count in counts.items() if status != "scored"):
        raise typer.Exit(ExitCode.NO)


def _as_json(release: str, found: "Survey", expected: "Estimate") -> dict[str, object]:
    return {
        "release": release,
        "to_judge": expected.requests,
        "judged_before": found.shadow + found.live,
        "failed_before": found.failed,
        "refused": dict(found.refused),
        "expected": {
            "input_tokens": expected.input_tokens,
            "output_tokens_at_most": expected.output_tokens,
            "cost_of_prompts": expected.cost_in,
            "cost_at_most": expected.cost_at_most,
            "seconds": round(expected.seconds, 1),
        },
    }


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{max(1, round(seconds))} s"
    if seconds < 6000:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
