"""`judgestream samples`: the shipped samples."""

from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console

from judgestream_trainer.tasks.samples import write_samples


def arguments(parser: ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="the folder to write into")
    parser.add_argument("--seed", type=int, default=11)


def run(args: Namespace, console: Console) -> int:
    counts = write_samples(args.out, seed=args.seed)
    console.print(", ".join(f"{count} {name}" for name, count in counts.items()))
    return 0
