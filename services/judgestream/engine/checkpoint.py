"""Loading of checkpoint folders into models that are ready to judge. No remote code, no network.

`.bin` shards (as JudgeLM is published) are read by torch's weights-only loader; safetensors win where a
folder has both. The tokenizer is read from `tokenizer.json` exactly as it is, or else from
`tokenizer.model` (see `sentencepiece_bpe`).
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError  # an exception class; unpickles nothing  # nosec B403
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)

from judgestream.checkpoints.architecture import FAMILIES, is_reward_model
from judgestream.checkpoints.describing import folder_template, manifest_of
from judgestream.checkpoints.families import REWARD, TEMPLATE
from judgestream.checkpoints.image_scorer import POSITIONS
from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import Manifest
from judgestream.checkpoints.reward_scale import RewardScale, read_reward_scale
from judgestream.checkpoints.temperature import read_temperature
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates.base import Template
from judgestream.engine import sentencepiece_bpe
from judgestream.engine.decoder import Decoder
from judgestream.engine.tensor_parallel import SplitDecoder
from judgestream.engine.tokens import Tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Checkpoint:
    """A loaded judge.

    decoder           computes
    model             transformers' own object over the same weights
    context_tokens    limit for prompt and reply together; `max_input_tokens` is that of the prompt
    temperature       the fitted one (see `checkpoints.temperature`); 1: none
    scale             of a reward model (see `checkpoints.reward_scale`); None: a judge with score lines
    """

    model: PreTrainedModel
    decoder: Decoder
    tokens: Tokens
    manifest: Manifest
    context_tokens: int
    temperature: float = 1.0
    scale: RewardScale | None = None

    @property
    def tokenizer(self) -> PreTrainedTokenizerBase:
        return self.tokens.tokenizer

    @property
    def max_input_tokens(self) -> int:
        return self.manifest.max_input_tokens

    @property
    def digest(self) -> str:
        return self.manifest.digest


def load(
    folder: Path,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    manifest: Manifest | None = None,
    *,
    others: Sequence[str] = (),
    compiled: bool = False,
) -> Checkpoint:
    """Load a checkpoint: ours, or any LLaMA-family Hugging Face folder.

    dtype     of weights and arithmetic; None: as stored, but fp32 on a CPU
    manifest  None: read from the folder, else made by `describe` (which reads every file)
    others    more devices to split the layers over (see `tensor_parallel`); no device ever holds all
              weights, and `model` cannot compute
    compiled  use torch.compile between attentions; `model` cannot compute

    Raises:
        ConfigurationError: not a LLaMA model, weights that do not match the configuration, or an
            unsupported tokenizer. The message names the folder and how to fix it.
    """
    manifest = manifest or manifest_of(folder)
    inspect(folder, manifest)
    reward = manifest.family == REWARD
    if (folder / TEMPLATE).exists() and folder_template(folder).file.id != manifest.template_id:
        raise ConfigurationError(
            f"checkpoint {folder}: its manifest names template {manifest.template_id!r}, but {TEMPLATE} is"
            f" {folder_template(folder).file.id!r}: publish it again"
        )
    model = load_model(folder, weights_dtype(device, dtype))
    tokens = load_tokens(folder)
    if len(tokens.tokenizer) > model.config.vocab_size:
        raise ConfigurationError(
            f"checkpoint {folder}: the tokenizer has {len(tokens.tokenizer)} entries, the model"
            f" {model.config.vocab_size}; use the tokenizer of this model"
        )
    context = _context(model)
    if not 0 < manifest.max_input_tokens < context:
        raise ConfigurationError(
            f"checkpoint {folder}: max_input_tokens {manifest.max_input_tokens} must be between 1 and"
            f" the model's context of {context}, with room for the score line"
        )
    model.train(False)
    if others or compiled:
        decoder: Decoder = SplitDecoder.from_model(model, [device, *others], compiled=compiled)
    else:
        torch.nn.Module.to(
            model, torch.device(device)
        )  # in place; transformers' own method is untyped
        decoder = Decoder.from_model(model)
    return Checkpoint(
        model=model,
        decoder=decoder,
        tokens=tokens,
        manifest=manifest,
        context_tokens=context,
        temperature=1.0 if reward else read_temperature(folder),
        scale=read_reward_scale(folder) if reward else None,
    )


def weights_dtype(device: str, dtype: torch.dtype | None) -> torch.dtype | None:
    """The dtype to load weights in: `dtype`, by default fp32 on a CPU; None: as stored."""
    return torch.float32 if dtype is None and torch.device(device).type == "cpu" else dtype


def load_tokens(folder: Path, template: Template | None = None) -> Tokens:
    """The folder's tokenizer, with the ids of its prefix, of EOS and of newlines.

    template  as in `Tokens.of`; default: the one in the folder, if it has one

    Raises:
        ConfigurationError: no tokenizer, no EOS id, or a conversion that is not exact.
    """
    if (folder / "tokenizer.json").exists():
        # Not AutoTokenizer: for LLaMA it rebuilds the tokenizer from the vocabulary alone and
        # silently drops this file's normalizer and pre-tokenizer (digit splitting among them).
        tokenizer: PreTrainedTokenizerBase = PreTrainedTokenizerFast.from_pretrained(  # nosec B615
            folder, local_files_only=True
        )
    elif (folder / "tokenizer.model").exists():
        tokenizer = sentencepiece_bpe.convert(folder)
    else:
        raise ConfigurationError(
            f"checkpoint {folder}: neither tokenizer.json nor tokenizer.model found"
        )
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    eos = _ids(tokenizer.eos_token_id) | _ids(config.get("eos_token_id"))
    if (folder / "generation_config.json").exists():
        generation = GenerationConfig.from_pretrained(folder, local_files_only=True)  # nosec B615
        eos |= _ids(generation.eos_token_id)
    if not eos:
        raise ConfigurationError(
            f"checkpoint {folder}: no EOS token; set it in tokenizer_config.json (eos_token) or"
            " config.json (eos_token_id)"
        )
    if template is None and (folder / TEMPLATE).exists():
        template = folder_template(folder).template
    tokens = Tokens.of(tokenizer, eos=frozenset(eos), template=template)
    # a bundled template's own tokens are looked after by its tests
    open_tokens = template.unescaped(tokens.parsed) if template and template.fixed else []
    if open_tokens:
        raise ConfigurationError(
            f"checkpoint {folder}: its template writes {open_tokens[0]!r}, a control token of its tokenizer"
            " that text under judgement could write, too: list it under markers"
        )
    return tokens


def _context(model: PreTrainedModel) -> int:
    """Tokens that the model can see at once: its positions, or its sliding window if that is smaller.

    Within the window attention is full, which is all that the engine computes.
    """
    windows = (model.config.max_position_embeddings, getattr(model.config, "sliding_window", None))
    return min(int(window) for window in windows if window)


def load_model(folder: Path, dtype: torch.dtype | None) -> PreTrainedModel:
    config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)  # nosec B615
    if config.model_type not in FAMILIES:
        raise ConfigurationError(
            f"checkpoint {folder}: unsupported model type {config.model_type!r}; the engine reads"
            f" {', '.join(FAMILIES)}"
        )
    auto: Any = AutoModelForCausalLM
    if is_reward_model(config.to_dict()):
        auto = AutoModelForSequenceClassification
    return whole_model(
        auto,
        folder,
        dtype,
        config=config,
        use_safetensors=any(folder.glob("*.safetensors")),
        weights_only=True,
    )


def whole_model(
    auto: Any, folder: Path, dtype: torch.dtype | None, **choices: object
) -> PreTrainedModel:
    """The model that transformers' class `auto` loads, with every weight from the folder and no remote code.

    Raises:
        ConfigurationError: a weight is missing, unexpected or of another shape; the message names one.
    """
    try:
        loaded: Any = auto.from_pretrained(  # nosec B615
            folder,
            dtype=dtype if dtype is not None else "auto",
            attn_implementation="sdpa",
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
            **choices,
        )
    except (OSError, ValueError, RuntimeError, UnpicklingError, SafetensorError) as error:
        raise ConfigurationError(
            f"checkpoint {folder}: loading the weights failed: {error}"
        ) from error
    model, report = loaded
    # Old LLaMA folders store rotary frequencies, and old CLIP folders positions. They are computed now, so
    # these extras are ignored.
    computed = ("rotary_emb.inv_freq", POSITIONS)
    extra = {key for key in report["unexpected_keys"] if not key.endswith(computed)}
    wrong = [*report["missing_keys"], *report["mismatched_keys"], *extra]
    if wrong:
        raise ConfigurationError(
            f"checkpoint {folder}: {len(wrong)} weights are missing, unexpected or of another shape than in"
            f" config.json, such as {sorted(map(str, wrong))[0]}; copy or publish it again"
        )
    if not isinstance(model, PreTrainedModel):
        raise TypeError(f"transformers loaded a {type(model).__name__}")
    return model


def _ids(value: int | Iterable[int] | None) -> set[int]:
    if value is None:
        return set()
    return {value} if isinstance(value, int) else set(value)
