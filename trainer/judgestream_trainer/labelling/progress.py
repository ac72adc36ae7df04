"""Progress display of a labelling run: judgements, tokens, cost and remaining time."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from judgestream_trainer.labelling.run import RunProgress

LINE_EVERY_S = 30.0
"""Without a terminal, one line at this interval replaces the bar."""


@contextmanager
def shown(
    console: Console, initial: RunProgress, budget: float | None
) -> Iterator[Callable[[RunProgress], None]]:
    """A progress bar. The returned function is to be called with the progress at every change."""
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
            "judgements", total=initial.total, completed=initial.done, spent="", trouble=""
        )

        last_line = monotonic()

        def show(now: RunProgress) -> None:
            nonlocal last_line
            spent = (
                f"{now.input_tokens:,} + {now.output_tokens:,} tokens, cost {now.cost:.4f}{limit}"
            )
            trouble = f"{now.unread} unreadable " if now.unread else ""
            trouble += now.last_failure[:80]
            progress.update(task, completed=now.done, spent=spent, trouble=trouble)
            if not console.is_terminal and monotonic() - last_line >= LINE_EVERY_S:
                last_line = monotonic()
                console.print(f"{now.done}/{now.total}: {spent} {trouble}", markup=False)

        show(initial)
        yield show
