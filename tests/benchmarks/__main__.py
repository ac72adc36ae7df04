"""`python -m tests.benchmarks [NAME] [options]`: all benchmarks, or one. JSON lines on standard output."""

import sys

from judgestream.engine.openmp import wait_passively

wait_passively()

# isort: split
from tests.benchmarks import engine, pipeline, rollout, train  # noqa: E402 - torch

BENCHMARKS = {
    "pipeline": pipeline.main,
    "rollout": rollout.main,
    "engine": engine.main,
    "train": train.main,
}


def main(arguments: list[str]) -> int:
    if arguments and arguments[0] in BENCHMARKS:
        return BENCHMARKS[arguments[0]](arguments[1:])
    if arguments and not arguments[0].startswith("-"):
        sys.stderr.write(f"no benchmark {arguments[0]}; there are {', '.join(BENCHMARKS)}\n")
        return 2
    return max(run(arguments) for run in BENCHMARKS.values())


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
