"""The fine-tuning step of a training cycle."""

import signal
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from judgestream_trainer.continuous import metrics
from judgestream_trainer.continuous.cycle import FineTune, Stopped
from judgestream_trainer.continuous.service import Signals
from judgestream_trainer.data.example import Example
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.loop import Step
from judgestream_trainer.training.metrics import recorded
from judgestream_trainer.training.run import fine_tune


def fine_tuning(recipe: Recipe, signals: Signals, console: Console) -> FineTune:
    """`fine_tune` with this recipe. Its training checkpoints are in the cycle's folder: it resumes from the
    last one after a crash, and saves one when it is asked to stop."""

    def tune(examples: Sequence[Example], base: Path, work: Path) -> Path:
        with recorded(recipe, work, console) as record:

            def on_step(step: Step) -> None:
                # a stop that came before the loop handled SIGTERM is repeated
                if signals.stop.is_set():
                    signal.raise_signal(signal.SIGTERM)
                record(step)
                metrics.stepped(step)

            out = work / "out"
            done = fine_tune(
                recipe, examples, base=base, out=out, on_step=on_step, work=work, resume=True
            )
        if done is None:
            raise Stopped
        return done

    return tune
