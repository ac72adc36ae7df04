"""Families of judges: their templates, the folder that serves them, and which files are part of a judge."""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from judgestream.checkpoints.architecture import is_reward_model
from judgestream.checkpoints.files import read_json
from judgestream.checkpoints.image_scorer import is_image_scorer
from judgestream.checkpoints.vision import PROCESSOR_FILES, is_vision_model
from judgestream.core.templates import JUDGELM as JUDGELM_TEMPLATE
from judgestream.core.templates import REWARD as REWARD_TEMPLATE
from judgestream.core.templates.image_scorer import SCORER as SCORER_TEMPLATE
from judgestream.core.templates.vision import LLAVA as VISION_TEMPLATE

JUDGELM, REWARD, VISION, SCORER = "judgelm", "reward", "vision", "scorer"
FAMILIES: Mapping[str, str] = MappingProxyType(
    {JUDGELM: "judgelm", REWARD: "judgelm", VISION: "vision", SCORER: "vision"}
)
"""Families of judges, each with the folder of `triton_models/` that serves it. `judgelm` writes score lines,
`reward` gives one value per answer, `vision` writes score lines about texts and images, `scorer` gives one
value per image."""

VALUED = (REWARD, SCORER)
"""The families with values, which have a scale (`checkpoints.reward_scale`)."""

TEMPLATE_IDS: Mapping[str, str] = MappingProxyType(
    {
        JUDGELM: JUDGELM_TEMPLATE.id,
        REWARD: REWARD_TEMPLATE.id,
        VISION: VISION_TEMPLATE.id,
        SCORER: SCORER_TEMPLATE.id,
    }
)
"""The template of those judges of a family that come without one."""

CALIBRATION = "calibration.json"
"""File of the fitted temperature, or of a reward model's scale, if there is one. It changes replies, so it is
part of the model."""

TEMPLATE = "template.yaml"
"""File of the judge's own template, if it has one. It changes prompts, so it is part of the model."""

_MODEL_FILES = (
    "config.json",
    TEMPLATE,
    CALIBRATION,
    "generation_config.json",
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "*.safetensors",
    "*.safetensors.index.json",
    "pytorch_model*.bin",
    "pytorch_model.bin.index.json",
)
_MORE_FILES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        REWARD: ("chat_template.jinja", "chat_template.json"),
        VISION: PROCESSOR_FILES,
        SCORER: PROCESSOR_FILES,
    }
)
"""Further model files of a family. A reward model's own chat template renders its prompts; an image processor
makes a judge's pixels."""


def is_model_file(path: str, family: str = JUDGELM) -> bool:
    """Whether a file changes what a judge of this family replies."""
    patterns = (*_MODEL_FILES, *_MORE_FILES.get(family, ()))
    return "/" not in path and any(Path(path).match(pattern) for pattern in patterns)


def family_of(folder: Path) -> str:
    """The family that a folder without a manifest belongs to, by its config.json."""
    try:
        config = read_json(folder, "config.json")
    except (OSError, ValueError):  # reported by the caller, or by the inspection
        return JUDGELM
    if is_vision_model(config):
        return VISION
    if is_image_scorer(config):
        return SCORER
    return REWARD if is_reward_model(config) else JUDGELM


def fits(template_id: str, family: str) -> bool:
    """Whether judges of this family use the template. Each family but `judgelm` has one, and no other family
    has that."""
    own = {name: template for name, template in TEMPLATE_IDS.items() if name != JUDGELM}
    return template_id == own[family] if family in own else template_id not in own.values()
