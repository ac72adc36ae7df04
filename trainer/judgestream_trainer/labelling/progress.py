"""The asking, as it goes: done of all, tokens, cost, time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from judgestream_trainer.labelling.run import RunProgress

LINE_EVERY_S = 30.0
"""Where no bar can be drawn (a log file), a line as often as this takes its place."""


@contextmanager
def shown(
    console: Console, tally: RunProgress, budget: float | None
) -> Iterator[Callable[[RunProgress], None]]:
    """A progress bar; the function that it gives takes the tally at every change."""
    limit = "" if budget is None else f" of {budget:g}"
    columns = (
        TextColumn("judgements"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[spent]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[trouble]}", style="yellow", markup=False),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(
            "judgements", total=tally.total, completed=tally.done, spent="", trouble=""
        )

        told = monotonic()

        def show(now: RunProgress) -> None:
            nonlocal told
            spent = (
                f"{now.input_tokens:,} + {now.output_tokens:,} tokens, cost {now.cost:.4f}{limit}"
            )
            trouble = f"{now.unread} unreadable " if now.unread else ""
            trouble += now.last_failure[:80]
            progress.update(task, completed=now.done, spent=spent, trouble=trouble)
            if not console.is_terminal and monotonic() - told >= LINE_EVERY_S:
                told = monotonic()
                console.print(f"{now.done}/{now.total}: {spent} {trouble}", markup=False)

        show(tally)
        yield show
