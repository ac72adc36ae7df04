"""A training recipe: everything that decides what judge comes out, read from one YAML file."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from judgestream.core.errors import ConfigurationError
from trainer.augment import Augmentation
from trainer.tasks import FAMILIES

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The model. `context` is in tokens and includes the score line; prompts may have `max_input`."""

    vocab: int
    hidden: int
    layers: int
    heads: int
    intermediate: int
    context: int
    max_input: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimisation:
    """The loop.

    steps, batch          optimizer steps and sequences a step
    matrix_lr             Muon's learning rate, for the matrices inside the layers
    other_lr              AdamW's, for embeddings and norms
    warmup                share of the steps in which both rise from 0, before they fall as a cosine
    flag_weight           of the throw-away head's loss, against 1 for the score line
    explanation_weight    of an explanation token, against 1 for a score token
    explanation_probability   share of the visits whose explanation is trained at all
    """

    steps: int
    batch: int
    matrix_lr: float
    other_lr: float
    warmup: float
    flag_weight: float
    explanation_weight: float
    explanation_probability: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Held-out items per family for the card, and how far a retrained card may differ (share, 0 to 1)."""

    items: int
    seed: int
    tolerance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """`families` maps a task family to its share of the training items."""

    name: str
    seed: int
    families: dict[str, float]
    size: Size
    optimisation: Optimisation
    augmentation: Augmentation
    evaluation: Evaluation


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigurationError: the file is not YAML, or a field is missing, unknown or of the wrong type.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f"recipe {path} cannot be read: {error}") from error
    recipe = recipe_from(loaded, where=str(path))
    unknown = sorted(set(recipe.families) - set(FAMILIES))
    if unknown:
        raise ConfigurationError(f"{path}: unknown families {unknown}; known: {sorted(FAMILIES)}")
    return recipe


def recipe_from(loaded: Any, *, where: str) -> Recipe:
    """A recipe from plain data, such as a YAML file's."""
    parts = _checked(Recipe, loaded, where)
    return Recipe(
        **{
            **parts,
            "size": _part(Size, parts, where),
            "optimisation": _part(Optimisation, parts, where),
            "augmentation": _part(Augmentation, parts, where),
            "evaluation": _part(Evaluation, parts, where),
        }
    )


def _part(kind: type[T], parts: dict[str, Any], where: str) -> T:
    name = kind.__name__.lower()
    values = _checked(kind, parts[name], f"{where}: {name}")
    for key, value in values.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise ConfigurationError(f"{where}: {name}.{key} is {value!r}; give a number from 0 up")
    return kind(**values)


def _checked(kind: Any, values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ConfigurationError(f"{where}: expected named values, found {values!r}")
    names = {field.name for field in fields(kind)}
    if set(values) != names:
        missing, unknown = sorted(names - set(values)), sorted(map(str, set(values) - names))
        raise ConfigurationError(f"{where}: missing {missing}, unknown {unknown}")
    return values
