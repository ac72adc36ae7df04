"""The fine-tuning step of a round, by the trainer's own loop."""

import signal
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from judgestream_trainer.continuous.cycle import FineTune, Stopped
from judgestream_trainer.continuous.service import Asked
from judgestream_trainer.data.example import Example
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.loop import Step
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.run import fine_tune


def fine_tuning(recipe: Recipe, asked: Asked, console: Console) -> FineTune:
    """`fine_tune` with this recipe. Its states are kept in the round's folder: it goes on from the last one
    after a crash, and saves one when it is asked to stop."""

    def tune(examples: Sequence[Example], base: Path, work: Path) -> Path:
        with recorded(recipe, work, console) as show:

            def report(step: Step) -> None:
                if asked.stop.is_set():  # asked before the loop listened: ask it again
                    signal.raise_signal(signal.SIGTERM)
                show(step)

            out = work / "out"
            done = fine_tune(
                recipe, examples, base=base, out=out, report=report, work=work, resume=True
            )
        if done is None:
            raise Stopped
        return done

    return tune
