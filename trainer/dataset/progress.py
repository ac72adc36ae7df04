"""The asking, as it goes: done of all, tokens, cost, time left."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from trainer.dataset.asking import Tally


@contextmanager
def shown(
    console: Console, tally: Tally, budget: float | None
) -> Iterator[Callable[[Tally], None]]:
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

        def show(now: Tally) -> None:
            tokens = f"{now.input_tokens:,} + {now.output_tokens:,} tokens"
            trouble = f"{now.unread} unreadable " if now.unread else ""
            progress.update(
                task,
                completed=now.done,
                spent=f"{tokens}, cost {now.cost:.4f}{limit}",
                trouble=trouble + now.last_failure[:80],
            )

        show(tally)
        yield show
