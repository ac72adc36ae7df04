"""Reward models: group files written, and a model trained on them."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.data.split import Shares, Side, side
from judgestream_trainer.preferences.balance import preference_by_length
from judgestream_trainer.preferences.computed import computed_groups
from judgestream_trainer.preferences.groups import Group, read_groups, write_groups
from judgestream_trainer.preferences.published import evaluation_questions, published_groups
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.loop import OnStep
from judgestream_trainer.training.value_run import fine_tune_values

COMPUTED, COMPUTED_SEED = 1500, 14
HELD_OUT = Shares(validation=0.06, test=0.0)
"""The share of the questions whose groups only measure the development loss."""


def preferences(*, sets: Path, out: Path, console: Console) -> ExitCode:
    """Write the groups of the published sets in `sets`, and of the computed tasks, to `out`."""
    groups = list(all_groups(sets))
    write_groups(out, groups)
    counts = Counter(group.source for group in groups)
    longer, shorter = preference_by_length(groups)
    for source, count in counts.items():
        console.print(f"{count:6,} groups of {source}", markup=False)
    console.print(
        f"the longer answer wins {longer / (longer + shorter):.0%} of the preferences; {out} is written",
        markup=False,
    )
    return ExitCode.OK


def all_groups(sets: Path) -> Iterator[Group]:
    """The groups that the small judge is trained on."""
    yield from published_groups(sets, without=evaluation_questions(sets))
    yield from computed_groups(COMPUTED, seed=COMPUTED_SEED)


def train_rewards(
    recipe: Recipe,
    groups: Sequence[Group],
    *,
    base: Path,
    out: Path,
    work: Path,
    on_step: OnStep,
    resume: bool,
) -> bool:
    """Train, with the groups of some questions held out. False when training was stopped."""
    held_out = [group for group in groups if side(group.question, HELD_OUT) is not Side.TRAIN]
    trained = [group for group in groups if side(group.question, HELD_OUT) is Side.TRAIN]
    folder = fine_tune_values(
        recipe,
        trained,
        development=held_out,
        base=base,
        out=out,
        work=work,
        on_step=on_step,
        resume=resume,
    )
    return folder is not None


def groups_of(data: Sequence[Path], recipe: Recipe) -> list[Group]:
    """The groups in the files.

    Raises:
        ConfigurationError: no file is named, or a file holds something else.
    """
    if not data:
        raise ConfigurationError(
            f"recipe {recipe.name} trains a reward model: name files of graded answers with --data"
            " (`judgestream data preferences` writes one)"
        )
    return read_groups(data)
