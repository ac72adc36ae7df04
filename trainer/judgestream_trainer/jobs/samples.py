"""The sample files that judgestream ships."""

from pathlib import Path

from rich.console import Console

from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.tasks.samples import write_samples


def samples(out: Path, *, seed: int, console: Console) -> ExitCode:
    counts = write_samples(out, seed=seed)
    console.print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return ExitCode.OK
