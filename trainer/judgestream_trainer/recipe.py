"""Training recipes: everything that determines the judge, read from one YAML file.

One schema for both kinds: a recipe with `size.hidden` trains a judge from nothing on the generated tasks; one
without fine-tunes a base. Sections and fields with a default may be left out.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import asdict, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass
from pydantic_core import ErrorDetails

from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import JUDGELM, JUDGELM_HALVES
from judgestream_trainer.data.augment import Augmentation
from judgestream_trainer.tasks import FAMILIES
from judgestream_trainer.tasks.simulated_bias import SimulatedBias

CONFIG = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")

Count = Annotated[int, Field(ge=0)]
# a union keeps an integer an integer, so that a manifest records the number as the file has it
Number = Annotated[int, Field(ge=0)] | Annotated[float, Field(ge=0)]

BRANCHES = {"int", "float", "constrained-int", "constrained-float"}
"""Parts of an error's path that name a branch of `Number`."""

UNKNOWN = {"unexpected_keyword_argument", "extra_forbidden"}
SCALARS = (str, int, float, bool)
TEMPLATES = (JUDGELM.id, JUDGELM_HALVES.id, "reward-v1")


@dataclass(frozen=True, kw_only=True, slots=True, config=CONFIG)
class Size:
    """The model. `context` is in tokens and includes the completion; a prompt has at most `max_input`.

    The other fields are for a judge trained from nothing. 0: the base's value.
    """

    context: Count
    max_input: Count
    vocab: Count = 0
    hidden: Count = 0
    layers: Count = 0
    heads: Count = 0
    intermediate: Count = 0


@dataclass(frozen=True, kw_only=True, slots=True, config=CONFIG)
class Optimisation:
    """The training loop.

    steps, epochs         length: optimizer steps, or passes over the examples; set one of them
    examples              number of task items to train on; 0: every item is new
    batch                 sequences per step, over all processes
    row_tokens            most tokens of a packed batch, which one forward pass holds
    optimizer             `muon` (for the matrices inside the layers, AdamW for the rest) or `adamw`
    matrix_lr             Muon's learning rate
    other_lr              AdamW's learning rate
    warmup                share of the steps with a rising learning rate; it then falls as a cosine
    final                 learning-rate factor at the end of the cosine
    clip                  largest gradient norm; 0: no clipping
    precision             `float32`; `bfloat16` (weights stay in fp32); `pure-bfloat16` (weights too)
    recompute             share of the layers with gradient checkpointing
    over_long             `drop` sequences that exceed the size, or `truncate` their target, as JudgeLM does
    flag_weight           weight of the auxiliary losses; the score line has 1; 0: no auxiliary heads
    explanation_weight    weight of an explanation token; a score token has 1
    explanation_probability   share of the visits whose explanation is trained
    """

    batch: Count
    other_lr: Number
    warmup: Number
    steps: Count = 0
    epochs: Count = 0
    examples: Count = 0
    row_tokens: Count = 8192
    optimizer: Literal["muon", "adamw"] = "muon"
    matrix_lr: Number = 0.0
    final: Number = 0.05
    beta2: Number = 0.95
    weight_decay: Number = 0.0
    clip: Number = 0.0
    precision: Literal["float32", "bfloat16", "pure-bfloat16"] = "float32"
    recompute: Number = 0.0
    over_long: Literal["drop", "truncate"] = "drop"
    flag_weight: Number = 0.0
    explanation_weight: Number = 1.0
    explanation_probability: Number = 1.0


@dataclass(frozen=True, kw_only=True, slots=True, config=CONFIG)
class Lora:
    """Low-rank adapters (Hu et al. 2021). `rank` 0 trains the whole model. `targets` are the names of the
    linear layers that get an adapter."""

    rank: Count = 0
    alpha: Number = 16.0
    targets: tuple[str, ...] = (
        "q_proj",
        "k_proj",
        "v_proj",
        "o_proj",
        "gate_proj",
        "up_proj",
        "down_proj",
    )


@dataclass(frozen=True, kw_only=True, slots=True, config=CONFIG)
class Preferences:
    """Training of a reward model, which gives one value per answer, on groups of graded answers.

    answers          answers of a question per visit, all pairs of which are trained; 0: not a reward model.
                     `optimisation.batch` then counts visits
    longer_share     share of the weighted preferences that the longer answer wins (1: no balancing)
    comparable_weight   weight of the regression on grades that compare across questions
    reference_probability   share of the visits that show the reference, where there is one
    """

    answers: Count = 0
    longer_share: Number = 1.0
    comparable_weight: Number = 0.0
    reference_probability: Number = 0.0


@dataclass(frozen=True, kw_only=True, slots=True, config=CONFIG)
class Records:
    """A training checkpoint every `save_every` steps (0: at the end and when stopped), of which the last
    `keep` stay; `tracker`: none, tensorboard or mlflow."""

    save_every: Count = 0
    keep: Count = 2
    tracker: Literal["none", "tensorboard", "mlflow"] = "none"


@dataclass(frozen=True, kw_only=True, slots=True, config=CONFIG)
class Evaluation:
    """Held-out items per family for the card, and how much a retrained card may differ (share, 0 to 1)."""

    items: Count = 150
    seed: Count = 7
    tolerance: Number = 0.05


@dataclass(frozen=True, kw_only=True, slots=True, config=CONFIG)
class Recipe:
    """A judge's training.

    name       names checkpoints and models
    template   template of the prompts and score labels: `judgelm-v1` has whole points, `judgelm-halves-v1`
               half points, too
    families   task family -> share of the training items
    lopsided   the teacher's simulated bias
    """

    name: str
    seed: Annotated[int, Field(ge=0, lt=2**63)]
    size: Size
    optimisation: Optimisation
    template: str = JUDGELM.id
    families: dict[str, Number] = field(default_factory=dict)
    augmentation: Augmentation = field(default_factory=Augmentation)
    lopsided: SimulatedBias = field(default_factory=SimulatedBias)
    lora: Lora = field(default_factory=Lora)
    preferences: Preferences = field(default_factory=Preferences)
    records: Records = field(default_factory=Records)
    evaluation: Evaluation = field(default_factory=Evaluation)

    @property
    def from_nothing(self) -> bool:
        return self.size.hidden > 0

    @property
    def rewards(self) -> bool:
        """Whether the recipe trains a reward model."""
        return self.preferences.answers > 0


def load_recipe(path: Path) -> Recipe:
    """Read and check a recipe.

    Raises:
        ConfigurationError: the file is not YAML, or a field is missing, unknown, invalid or contradicts
            another; the message names the file and every such key.
    """
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigurationError(f"recipe {path} cannot be read: {error}") from error
    return recipe_from(loaded, where=str(path))


def recipe_from(loaded: Any, *, where: str) -> Recipe:
    """A recipe from plain data, such as a YAML file's; `where` names it. Raises as `load_recipe` does."""
    try:
        # pydantic's strict mode takes mappings for dataclasses from JSON only
        recipe = _schema().validate_json(json.dumps(loaded, default=str))
    except ValidationError as error:
        problems = list(_named(error))
    else:
        problems = list(_contradictions(recipe))
        if not problems:
            return recipe
    raise ConfigurationError(f"recipe {where} is wrong:\n  " + "\n  ".join(problems))


@cache
def _schema() -> TypeAdapter[Recipe]:
    return TypeAdapter(Recipe)


def _named(error: ValidationError) -> Iterator[str]:
    """Every problem with its key. A number's two branches share a key: the message of the float is kept."""
    problems: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        path = (str(part) for part in problem["loc"])
        key = ".".join(part for part in path if part not in BRANCHES) or "recipe"
        problems[key] = "unknown key" if problem["type"] in UNKNOWN else _with_value(problem)
    return (f"{key}: {text}" for key, text in problems.items())


def _with_value(problem: ErrorDetails) -> str:
    value = problem["input"]
    return f"{problem['msg']}, got {value!r}" if isinstance(value, SCALARS) else problem["msg"]


def _contradictions(recipe: Recipe) -> Iterator[str]:
    how, size = recipe.optimisation, recipe.size
    model = (size.vocab, size.hidden, size.layers, size.heads, size.intermediate)
    if not _NAME.fullmatch(recipe.name):
        yield (
            f"name: {recipe.name!r} is invalid: use 1 to 60 letters, digits, dots, underscores and hyphens,"
            " starting with a letter or digit"
        )
    if recipe.template not in TEMPLATES:
        yield f"template: {recipe.template!r} is unknown: use one of {', '.join(TEMPLATES)}"
    for family, share in recipe.families.items():
        if family not in FAMILIES:
            yield f"families.{family}: unknown family: use one of {', '.join(sorted(FAMILIES))}"
        elif share == 0:
            yield f"families.{family}: the share is 0: use a number above 0"
    for section in ("augmentation", "lopsided"):
        for name, share in asdict(getattr(recipe, section)).items():
            if not 0 <= share <= 1:
                yield f"{section}.{name}: {share} is not a share: use 0 to 1"
    for name in ("longer_share", "reference_probability"):
        if not 0 <= getattr(recipe.preferences, name) <= 1:
            yield f"preferences.{name}: use 0 to 1"
    if recipe.preferences.longer_share == 0:
        yield "preferences.longer_share: use more than 0"
    if recipe.preferences.answers == 1:
        yield "preferences.answers: use 2 or more: answers are compared with each other"
    if recipe.rewards and recipe.from_nothing:
        yield "preferences: a reward model needs a base: leave out size.hidden"
    if bool(how.steps) == bool(how.epochs):
        yield "optimisation: set either steps or epochs"
    if how.batch < 1:
        yield "optimisation.batch: use 1 or more"
    if how.row_tokens < 1:
        yield "optimisation.row_tokens: use 1 or more"
    if how.optimizer == "adamw" and not how.other_lr:
        yield "optimisation.other_lr: adamw needs a learning rate above 0"
    if how.optimizer == "muon" and not how.matrix_lr:
        yield "optimisation.matrix_lr: muon needs a learning rate above 0"
    if not 0 < size.max_input < size.context:
        yield "size.max_input: use at least 1 and less than size.context"
    if recipe.from_nothing and not recipe.families:
        yield "families: a judge trained from nothing needs tasks"
    if recipe.from_nothing != all(model):
        yield "size: set all of vocab, hidden, layers, heads and intermediate, or none of them"
    if recipe.from_nothing and recipe.lora.rank:
        yield "lora: a judge trained from nothing has no base to adapt"
