"""The loop learns, reports what does not fit, and stops when the loss becomes NaN."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch
import yaml

from judgestream.core.errors import ConfigurationError
from judgestream.engine.checkpoint import load_tokens
from judgestream_trainer.data.augment import visit
from judgestream_trainer.failure import TrainingFailed
from judgestream_trainer.recipe import Recipe, Size, load_recipe
from judgestream_trainer.training.data_order import Stream, supply
from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.loop import Step, loop
from judgestream_trainer.training.optimisers import schedule
from judgestream_trainer.training.sequences import TrainingSequence, encode, fit, written
from tests.engine import tiny
from tests.paths import RECIPES
from tests.trainer import small

ALONE = World(device=torch.device("cpu"))


def stream_of(recipe: Recipe, examples: int | None = None) -> Stream:
    given = None if examples is None else small.examples(examples)
    return Stream(recipe=recipe, supply=supply(recipe, given), tokens=small.tokens())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_loss_falls(precision: str) -> None:
    recipe = small.recipe(optimisation={"precision": precision, "steps": 30})
    seen: list[Step] = []
    outcome = loop(small.training_model(recipe), stream_of(recipe), ALONE, on_step=seen.append)
    assert outcome.finished
    assert seen[-1].loss < 0.8 * seen[0].loss
    assert outcome.progress.sequences == 30 * 6
    assert outcome.progress.tokens == sum(step.tokens for step in seen)


def test_the_data_is_a_function_of_seed_and_position() -> None:
    recipe = small.recipe()
    forward, backward = stream_of(recipe), stream_of(recipe)
    one = [forward.sequences(step) for step in range(4)]
    other = [backward.sequences(step) for step in (3, 2, 1, 0)]
    assert one == other[::-1]
    assert one != [stream_of(replace(recipe, seed=6)).sequences(step) for step in range(4)]


def test_an_epoch_visits_every_example_once_in_a_different_order() -> None:
    recipe = small.recipe(optimisation={"steps": 0, "epochs": 2, "batch": 4})
    given = supply(recipe, small.examples(10))
    visits = [given.source(position) for position in range(20)]
    names = [[example.id for example, epoch in visits if epoch == k] for k in (0, 1)]
    assert given.steps == 5
    assert sorted(names[0]) == sorted(names[1]) == sorted(e.id for e in small.examples(10))
    assert names[0] != names[1]


def test_the_last_step_of_the_last_epoch_takes_the_remaining_examples() -> None:
    recipe = small.recipe(optimisation={"steps": 0, "epochs": 1, "batch": 4})
    stream = stream_of(recipe, 10)
    assert [len(stream.sequences(step)) for step in range(3)] == [4, 4, 2]


SEQUENCE = TrainingSequence(
    ids=tuple(range(10)), prompt=6, score_tokens=3, wrong=(), ends=(0, 1), scores=(1, 2)
)
TABLE = [
    ("drop", Size(context=10, max_input=6), 10, ""),
    ("drop", Size(context=9, max_input=6), None, "completion too long, left out"),
    ("drop", Size(context=20, max_input=5), None, "prompt too long, left out"),
    ("truncate", Size(context=20, max_input=5), 10, ""),
    ("truncate", Size(context=8, max_input=6), 8, "target cut on the right"),
    ("truncate", Size(context=7, max_input=5), 7, "target cut on the right"),
    ("truncate", Size(context=6, max_input=5), None, "prompt fills the context, left out"),
]


@pytest.mark.parametrize(("how", "size", "left", "reason"), TABLE)
def test_sequences_that_are_too_long_are_left_out_or_cut_and_counted(
    how: str, size: Size, left: int | None, reason: str
) -> None:
    sequence, trouble = fit(SEQUENCE, size, how)
    assert trouble == reason
    assert (None if sequence is None else len(sequence.ids)) == left
    if sequence is not None:
        assert 0 < sequence.score_tokens <= len(sequence.ids) - sequence.prompt


def test_a_training_where_nothing_fits_changes_no_weight_and_fails_with_the_reason() -> None:
    recipe = small.recipe(size={"context": 20, "max_input": 10}, optimisation={"steps": 3})
    training_model = small.training_model(recipe)
    before = {name: tensor.clone() for name, tensor in training_model.state_dict().items()}
    seen: list[Step] = []
    with pytest.raises(TrainingFailed, match="18 prompt too long.* size.max_input 10"):
        loop(training_model, stream_of(recipe), ALONE, on_step=seen.append)
    assert [step.loss for step in seen] == [0, 0]
    for name, tensor in training_model.state_dict().items():
        assert torch.equal(tensor, before[name]), name


def test_a_nan_loss_stops_training_and_names_the_step() -> None:
    recipe = small.recipe()
    training_model = small.training_model(recipe)

    def break_weight(step: Step) -> None:
        if step.step == 3:
            training_model.model.model.norm.weight.data[0] = float("nan")

    with pytest.raises(ConfigurationError, match="the loss became NaN or infinite at step 4"):
        loop(training_model, stream_of(recipe), ALONE, on_step=break_weight)


def test_the_rate_rises_then_falls_as_a_cosine() -> None:
    rates = [schedule(step, 100, warmup=0.1, final=0.0) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1)
    assert rates[55] == pytest.approx(0.5)
    assert rates[99] < 0.001


def test_the_completion_is_tokenised_as_the_engine_feeds_it() -> None:
    example = small.examples(1)[0]
    recipe = small.recipe()
    shown = visit(example, recipe.augmentation, seed=1, epoch=0)
    sequence = encode(shown, small.tokens(), explain=True)
    first, second = shown.judgement.scores
    text = small.tokenizer().decode(list(sequence.ids[sequence.prompt :]), skip_special_tokens=True)
    assert text == f"{first:g} {second:g}\n{shown.judgement.explanation}"
    assert sequence.ids[-1] == small.tokenizer().eos_token_id
    line = small.tokenizer().decode(
        list(sequence.ids[sequence.prompt : sequence.prompt + sequence.score_tokens])
    )
    assert line == f"{first:g} {second:g}\n"


@pytest.mark.parametrize("kind", ["spm", "split", "joined"])
def test_prompt_and_completion_are_tokenised_as_the_engine_does(tmp_path: Path, kind: str) -> None:
    tokens = load_tokens(tiny.make(tmp_path, kind))
    shown = visit(small.examples(1)[0], small.recipe().augmentation, seed=1, epoch=0)
    layout, line, explanation = written(shown)
    prompt = layout.text
    sequence = encode(shown, tokens, explain=True)
    assert list(sequence.ids[: sequence.prompt]) == tokens.prompt(prompt)
    below = [*tokens.continuation(prompt, line + explanation), min(tokens.eos)]
    assert list(sequence.ids[sequence.prompt :]) == below
    scores = list(sequence.ids[sequence.prompt : sequence.prompt + sequence.score_tokens])
    assert tokens.text_after(tokens.prompt(prompt), scores).startswith(line)


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_recipe_is_valid(path: Path) -> None:
    recipe = load_recipe(path)
    assert recipe.name == path.stem
    assert recipe.from_nothing == bool(recipe.families)


WRONG = [
    ("optimisation", {"precision": "int4"}, "optimisation.precision: .*'float32'.*, got 'int4'"),
    ("optimisation", {"batch": -1}, "optimisation.batch: .* greater than or equal to 0, got -1"),
    ("optimisation", {"steps": 1.5}, "optimisation.steps: .* valid integer, got 1.5"),
    ("optimisation", {"clip": float("nan")}, "optimisation.clip: .* finite number, got nan"),
    ("optimisation", {"clip": "1"}, "optimisation.clip: .* valid number, got '1'"),
    ("optimisation", {"clip": True}, "optimisation.clip: .* valid number, got True"),
    ("optimisation", {"epochs": 2}, "optimisation: set either steps or epochs"),
    ("optimisation", {"speed": 2}, "optimisation.speed: unknown key"),
    ("size", {"layers": 0}, "size: set all of vocab, hidden, layers, heads and intermediate"),
    ("size", {"intermediate": -1}, "size.intermediate: .* greater than or equal to 0"),
    ("size", {"max_input": 640}, "size.max_input: use at least 1 and less than"),
    ("lora", {"rank": 4}, "lora: .* no base to adapt"),
    ("lora", {"targets": "q_proj"}, "lora.targets: .* valid array, got 'q_proj'"),
    ("families", {"cookery": 1}, "families.cookery: unknown family"),
    ("families", {"knowledge": 0}, "families.knowledge: the share is 0"),
    ("augmentation", {"swap": 0.5}, "augmentation.swap: unknown key"),
    ("augmentation", {"swap_probability": 2}, "augmentation.swap_probability: 2.0 is not a share"),
]


@pytest.mark.parametrize(("part", "change", "message"), WRONG)
def test_a_wrong_recipe_is_refused_with_file_and_key(
    part: str, change: dict[str, object], message: str
) -> None:
    from judgestream_trainer.recipe import recipe_from

    given: dict[str, dict[str, object]] = {
        "size": {**small.SIZE, **small.MODEL},
        "optimisation": dict(small.HOW),
        "families": dict(small.SHARES),
    }
    given[part] = {**given.get(part, {}), **change}
    with pytest.raises(ConfigurationError, match=rf"(?s)r\.yaml.*{message}"):
        recipe_from({"name": "r", "seed": 1, **given}, where="r.yaml")


def test_a_wrong_recipe_names_every_wrong_key_at_once() -> None:
    from judgestream_trainer.recipe import recipe_from

    with pytest.raises(ConfigurationError) as caught:
        recipe_from({"name": 1, "seed": -1, "colour": "red"}, where="r.yaml")
    keys = {line.split(":")[0].strip() for line in str(caught.value).splitlines()[1:]}
    assert keys == {"name", "seed", "colour", "size", "optimisation"}


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_recipe_records_the_numbers_that_its_file_has(path: Path) -> None:
    recorded = asdict(load_recipe(path))
    written = yaml.safe_load(path.read_text("utf-8"))
    for section, values in written.items():
        given = values if isinstance(values, dict) else {}
        for key, value in given.items():
            now = recorded[section][key]
            assert json.dumps(now) == json.dumps(value), f"{section}.{key}"
