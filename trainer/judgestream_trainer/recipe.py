"""A training recipe: everything that decides what judge comes out, read from one YAML file.

One schema for both kinds: a recipe with `size.hidden` trains a judge from nothing on the generated tasks,
one without fine-tunes a base. Parts and fields that have a default may be left out.
"""

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from math import isfinite
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import yaml

from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import JUDGELM, JUDGELM_HALVES
from judgestream_trainer.data.augment import Augmentation
from judgestream_trainer.tasks import FAMILIES
from judgestream_trainer.tasks.simulated_bias import SimulatedBias

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """The model. `context` is in tokens and includes the completion; prompts may have `max_input`.

    The others are for a judge that is trained from nothing; 0: as the base has it.
    """

    context: int
    max_input: int
    vocab: int = 0
    hidden: int = 0
    layers: int = 0
    heads: int = 0
    intermediate: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Optimisation:
    """The loop.

    steps, epochs         how long: optimizer steps, or visits of every example; one of them is given
    examples              how many task items to train on; 0: every one is new
    batch                 sequences a step, over all processes and rows
    row_tokens            tokens of a packed row at most: what one forward holds
    optimizer             `muon` (matrices inside the layers, AdamW for the rest) or `adamw`
    matrix_lr             Muon's learning rate
    other_lr              AdamW's
    warmup                share of the steps in which both rise from 0, before they fall as a cosine
    final                 the share of the learning rate that the cosine ends at
    clip                  the gradient's norm at most; 0: as it is
    precision             `float32`; `bfloat16` (weights stay in fp32); `pure-bfloat16` (weights too)
    recompute             share of the layers whose activations are computed again when needed
    over_long             `drop` what exceeds the size, or `truncate` its target on the right, as JudgeLM
    flag_weight           of the throw-away heads' loss, against 1 for the score line; 0: no such heads
    explanation_weight    of an explanation token, against 1 for a score token
    explanation_probability   share of the visits whose explanation is trained at all
    """

    batch: int
    other_lr: float
    warmup: float
    steps: int = 0
    epochs: int = 0
    examples: int = 0
    row_tokens: int = 8192
    optimizer: str = "muon"
    matrix_lr: float = 0.0
    final: float = 0.05
    beta2: float = 0.95
    weight_decay: float = 0.0
    clip: float = 0.0
    precision: str = "float32"
    recompute: float = 0.0
    over_long: str = "drop"
    flag_weight: float = 0.0
    explanation_weight: float = 1.0
    explanation_probability: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Lora:
    """Low-rank adapters (Hu et al. 2021): `rank` 0 trains the whole model. `targets` are the names of
    the linear layers that get one."""

    rank: int = 0
    alpha: float = 16.0
    targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class Records:
    """What is written while training: a state every `save_every` steps (0: at the end and when stopped),
    the last `keep` of them; `tracker` none, tensorboard or mlflow."""

    save_every: int = 0
    keep: int = 2
    tracker: str = "none"


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Held-out items per family for the card, and how far a retrained card may differ (share, 0 to 1)."""

    items: int = 150
    seed: int = 7
    tolerance: float = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class Recipe:
    """`families` maps a task family to its share of the training items.

    template   the template whose prompts are trained on and whose score labels are written: `judgelm-v1` has
               whole points, `judgelm-halves-v1` half points, too
    """

    name: str
    seed: int
    size: Size
    optimisation: Optimisation
    template: str = JUDGELM.id
    families: dict[str, float] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)
    lopsided: SimulatedBias = field(default_factory=SimulatedBias)
    lora: Lora = field(default_factory=Lora)
    records: Records = field(default_factory=Records)
    evaluation: Evaluation = field(default_factory=Evaluation)

    @property
    def from_nothing(self) -> bool:
        return self.size.hidden > 0


PARTS: Mapping[str, type] = MappingProxyType(
    {
        "size": Size,
        "optimisation": Optimisation,
        "augmentation": Augmentation,
        "lopsided": SimulatedBias,
        "lora": Lora,
        "records": Records,
        "evaluation": Evaluation,
    }
)

CHOICES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "optimizer": ("muon", "adamw"),
        "precision": ("float32", "bfloat16", "pure-bfloat16"),
        "over_long": ("drop", "truncate"),
        "tracker": ("none", "tensorboard", "mlflow"),
        "template": (JUDGELM.id, JUDGELM_HALVES.id),
    }
)


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigurationError: the file is not YAML, or a field is missing, unknown, of the wrong type or
            contradicts another; the message names file and key.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"recipe {path} cannot be read: {error}") from error
    return recipe_from(loaded, where=str(path))


def recipe_from(loaded: Any, *, where: str) -> Recipe:
    """A recipe from plain data, such as a YAML file's."""
    values = _named(Recipe, loaded, where)
    parts: dict[str, Any] = {
        name: _part(kind, values.get(name, {}), f"{where}: {name}", name)
        for name, kind in PARTS.items()
    }
    _plain(values, where)
    recipe = Recipe(**{**values, **parts})
    _agree(recipe, where)
    return recipe


def _plain(values: Mapping[str, Any], where: str) -> None:
    """The fields that belong to no part."""
    name, seed, template = values["name"], values["seed"], values.get("template", JUDGELM.id)
    families = values.get("families", {})
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError(
            f"{where}: name is {name!r}; give 1 to 60 letters, digits, dots, underscores and hyphens,"
            " since checkpoints and models are called by it"
        )
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**63:
        raise ConfigurationError(f"{where}: seed is {seed!r}; give a whole number from 0 up")
    if template not in CHOICES["template"]:
        known = ", ".join(CHOICES["template"])
        raise ConfigurationError(f"{where}: template is {template!r}; give one of {known}")
    if not isinstance(families, dict):
        raise ConfigurationError(f"{where}: families is {families!r}; give name: share")
    unknown = sorted(map(str, set(families) - set(FAMILIES)))
    if unknown:
        raise ConfigurationError(f"{where}: unknown families {unknown}; known: {sorted(FAMILIES)}")
    for family, share in families.items():
        if not _number(share) or share <= 0:
            raise ConfigurationError(
                f"{where}: families.{family} is {share!r}; give a share above 0"
            )


def _number(value: object) -> bool:
    """Whether YAML gave a number; `.nan` and `.inf` are none here."""
    return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)


def _agree(recipe: Recipe, where: str) -> None:
    how, size = recipe.optimisation, recipe.size
    wrong = {
        "optimisation: give steps or epochs, one of them": bool(how.steps) == bool(how.epochs),
        "optimisation.batch is 0": how.batch < 1,
        "optimisation.row_tokens is 0": how.row_tokens < 1,
        "optimisation.other_lr: adamw needs one": how.optimizer == "adamw" and not how.other_lr,
        "optimisation.matrix_lr: muon needs one": how.optimizer == "muon" and not how.matrix_lr,
        "size.max_input must lie between 1 and size.context": not 0 < size.max_input < size.context,
        "families: a judge from nothing needs tasks to train on": recipe.from_nothing
        and not recipe.families,
        "size: give vocab, hidden, layers, heads and intermediate, or none of them": recipe.from_nothing
        != all((size.vocab, size.hidden, size.layers, size.heads, size.intermediate)),
        "lora: a judge from nothing has no base to adapt": recipe.from_nothing
        and recipe.lora.rank > 0,
    }
    for message, broken in wrong.items():
        if broken:
            raise ConfigurationError(f"{where}: {message}")


def _part(kind: type[T], loaded: Any, where: str, name: str) -> T:
    values = _named(kind, loaded, where)
    types = {one.name: one.type for one in _fields(kind)}
    for key, value in values.items():
        at = f"{where.removesuffix(': ' + name)}: {name}.{key} is {value!r}"
        if types[key] is str:
            if value not in CHOICES[key]:
                raise ConfigurationError(f"{at}; give one of {', '.join(CHOICES[key])}")
        elif types[key] == tuple[str, ...]:
            if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
                raise ConfigurationError(f"{at}; give a list of names")
            values = {**values, key: tuple(value)}
        elif not _number(value) or value < 0:
            raise ConfigurationError(f"{at}; give a number from 0 up")
        elif types[key] is int and value != int(value):
            raise ConfigurationError(f"{at}; give a whole number")
    return kind(**values)


def _named(kind: type, values: Any, where: str) -> dict[str, Any]:
    if not isinstance(values, dict):
        raise ConfigurationError(f"{where}: expected named values, found {values!r}")
    known = {one.name: one for one in _fields(kind)}
    needed = {name for name, one in known.items() if _required(one)}
    missing, unknown = sorted(needed - set(values)), sorted(map(str, set(values) - set(known)))
    if missing or unknown:
        raise ConfigurationError(f"{where}: missing {missing}, unknown {unknown}")
    return dict(values)


def _fields(kind: Any) -> tuple["Field[Any]", ...]:
    return fields(kind)


def _required(one: "Field[Any]") -> bool:
    return one.default is MISSING and one.default_factory is MISSING
