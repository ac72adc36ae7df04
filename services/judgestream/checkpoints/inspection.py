"""Inspection of a checkpoint before it is loaded: all problems are reported at once, at installation.

No torch; nothing is unpickled or run. A checkpoint without problems may still fail to load (too little
memory, NaN weights); one with problems is certain to fail, or is unsafe.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from judgestream.checkpoints.architecture import (
    Architecture,
    Shape,
    architecture,
    engine_problems,
    is_reward_model,
    number_problems,
    reward_problems,
)
from judgestream.checkpoints.context import context_tokens
from judgestream.checkpoints.families import REWARD, SCORER, VISION
from judgestream.checkpoints.files import MAX_JSON_BYTES, name_problem, read_json, size_of
from judgestream.checkpoints.image_scorer import (
    POSITIONS,
    is_image_scorer,
    scorer_problems,
    text_part,
)
from judgestream.checkpoints.manifest import Manifest
from judgestream.checkpoints.pickled_weights import check_pickle
from judgestream.checkpoints.safetensors_header import FLOATS, Stored, read_header
from judgestream.checkpoints.vision import is_vision_model, vision_problems
from judgestream.core.errors import ConfigurationError

_MAX_REPORTED = 20
_MAX_TOKENIZER_MODEL = 64 << 20
_SMALL_JSON = (
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "generation_config.json",
)


def inspect(folder: Path, manifest: Manifest, *, engine: bool = True) -> None:
    """Raise ConfigurationError with all problems of the checkpoint, one line each.

    engine  whether our own engine will load it; False for another engine over the same files
    """
    problems = list(_problems(folder, manifest, engine=engine))
    if not problems:
        return
    reported = problems[:_MAX_REPORTED]
    if len(problems) > len(reported):
        reported.append(f"and {len(problems) - len(reported)} more")
    raise ConfigurationError(
        f"checkpoint {folder} ({manifest.name}) cannot be used:\n  " + "\n  ".join(reported)
    )


def _problems(folder: Path, manifest: Manifest, *, engine: bool) -> Iterator[str]:
    known: dict[str, dict[str, Any]] = {}
    for name in ("config.json", *_SMALL_JSON):
        if name not in manifest.files:
            continue
        try:
            known[name] = read_json(folder, name, max_bytes=4 << 20)
        except ValueError as error:
            yield f"{name} {error}"
        except FileNotFoundError:
            yield f"{name} is missing"
    for name, content in known.items():
        if content.get("auto_map"):
            yield f"{name}: auto_map refers to remote code, which is never run; use a plain checkpoint"
    config = known.get("config.json")
    if config is None:
        return
    scorer = is_image_scorer(config)
    vision = scorer or is_vision_model(config)
    if scorer:
        numbers = list(scorer_problems(folder, config))
    else:
        numbers = list(vision_problems(folder, config)) if vision else number_problems(config)
    yield from numbers
    yield from _family(manifest, config)
    unknown = [] if vision else engine_problems(config)
    if engine:
        yield from unknown
    elif vision:
        yield "config.json: a judge that sees images is not served by vLLM: use `judgestream release install`"
    expected = None
    if (
        engine
        and not vision
        and not numbers
        and config.get("model_type")
        and not any("model type" in p for p in unknown)
    ):
        expected = architecture(config)
    yield from _weights(folder, manifest, expected)
    yield from _tokenizer(folder, manifest, text_part(config), known)
    if not numbers:
        context = context_tokens(folder)
        if manifest.max_input_tokens >= context + scorer:  # which writes no score line
            room = "" if scorer else ", with room for the score line"
            yield (
                f"max_input_tokens {manifest.max_input_tokens} must be between 1 and the model's context of"
                f" {context} (its positions, or its sliding window){room}"
            )


def _family(manifest: Manifest, config: Mapping[str, Any]) -> Iterator[str]:
    """Whether manifest and config.json agree on the kind of model, and a reward model has one value."""
    scorer = is_image_scorer(config)
    if scorer != (manifest.family == SCORER):
        kind = "an image scorer" if scorer else "not an image scorer"
        yield (
            f"config.json: model type {str(config.get('model_type'))[:60]!a} is {kind}, but the manifest says"
            f" family {manifest.family}: publish the checkpoint again"
        )
        return
    vision = is_vision_model(config)
    if vision != (manifest.family == VISION):
        kind = "sees images" if vision else "sees no images"
        yield (
            f"config.json: model type {str(config.get('model_type'))[:60]!a} {kind}, but the manifest says"
            f" family {manifest.family}: publish the checkpoint again"
        )
        return
    reward = is_reward_model(config)
    if reward != (manifest.family == REWARD):
        kind = "a reward model" if reward else "not a reward model"
        yield (
            f"config.json: architectures {str(config.get('architectures'))[:60]!a} is {kind}, but the"
            f" manifest says family {manifest.family}: publish the checkpoint again"
        )
    if reward:
        yield from reward_problems(config)


def _weights(folder: Path, manifest: Manifest, expected: Architecture | None) -> Iterator[str]:
    files = [name for name in manifest.files if "/" not in name]
    tensors = [name for name in files if name.endswith(".safetensors")]
    pickles = [name for name in files if name.endswith(".bin")]
    if "adapter_config.json" in files or any(name.startswith("adapter_model") for name in files):
        yield "this is a LoRA adapter without its base model; merge them first"
        return
    # transformers prefers safetensors if a folder has both
    found: dict[str, Stored | None] = {}
    for name in tensors:
        try:
            header = read_header(folder, name)
        except (ValueError, OSError) as error:
            yield f"{name} is not a valid safetensors file: {error}"
            continue
        twice = sorted(found.keys() & header.keys())
        if twice:
            yield f"{name} has {twice[0]!r}, which another file also has"
        found |= header
    texts: set[str] = set()
    for name in pickles:
        try:
            texts |= check_pickle(folder, name)
        except (ValueError, OSError) as error:
            yield f"{name} {error}"
    if manifest.family == SCORER and "tokenizer.json" not in files:
        yield "an image scorer needs its tokenizer.json: save its tokenizer with a recent transformers"
    if manifest.family in (VISION, SCORER):
        if pickles or not tensors:
            yield "a judge that sees images needs safetensors weights only; convert or download those"
        quantised = [
            name
            for name, stored in found.items()
            if stored and stored.dtype not in FLOATS and not name.endswith(POSITIONS)
        ]
        if quantised:
            yield f"{len(quantised)} weights are quantised or not numbers, such as {quantised[0][:80]!a}"
    if not tensors:
        if expected is not None and expected.reward:
            yield "the weights of a reward model must be safetensors; convert them, or download those"
        found = dict.fromkeys(texts)
    kind = "model.safetensors" if tensors else "pytorch_model.bin"
    index, problems = _index(folder, files, f"{kind}.index.json")
    yield from problems
    single = kind in files
    if index is not None and not single:
        lacking = sorted(set(index) - found.keys())
        if lacking and not problems:
            yield f"{kind}.index.json names {len(lacking)} weights that no file has, such as {lacking[0]!r}"
    elif not single and len(tensors or pickles) > 0 and index is None:
        yield f"neither {kind} nor {kind}.index.json found: the weights' index is missing"
    if expected is not None and not problems:
        yield from _lacking(expected, found, exact=bool(tensors))


def _index(
    folder: Path, files: Iterable[str], name: str
) -> tuple[dict[str, str] | None, list[str]]:
    """The file of each weight, from the folder's index (None without one), and the index's problems."""
    if name not in files:
        return None, []
    try:
        where = read_json(folder, name).get("weight_map")
    except (ValueError, OSError) as error:
        return {}, [f"{name} {error}"]
    if not isinstance(where, dict) or not where:
        return {}, [f"{name} has no weight_map"]
    problems = []
    for file in sorted({str(value) for value in where.values()}):
        problem = name_problem(file)
        if problem or "/" in file:
            problems.append(
                f"{name}: file name {file[:80]!a} {problem or 'is not in the folder itself'}"
            )
        elif file not in files:
            problems.append(f"{name} names {file}, which is missing")
    return where, problems


def _lacking(
    expected: Architecture, found: Mapping[str, Stored | None], *, exact: bool
) -> Iterator[str]:
    """Weights that are missing or do not match config.json; with `exact`, also unexpected ones."""
    bare = "embed_tokens.weight" in found and "model.embed_tokens.weight" not in found
    missing: list[str] = []
    other: list[str] = []
    promised: dict[str, Shape] = dict(expected.weights())
    for name, shape in promised.items():
        key = name.removeprefix("model.") if bare else name
        if key not in found:
            missing.append(name)
            continue
        stored = found[key]
        if stored is not None and stored.shape != shape:
            other.append(f"{name} is {list(stored.shape)}, expected {list(shape)} from config.json")
        elif stored is not None and stored.dtype not in FLOATS:
            other.append(f"{name} is stored as {stored.dtype}: a quantised checkpoint")
    for text, names in (("are missing", missing), ("do not match config.json", other)):
        if names:
            yield f"{len(names)} weights {text}, such as {names[0]}"
    if exact:
        extra = [
            name
            for name in found
            if (f"model.{name}" if bare and name != expected.head else name) not in promised
            and not name.endswith("rotary_emb.inv_freq")
            and not (expected.tied and name == "lm_head.weight")
        ]
        if extra:
            yield f"{len(extra)} weights are unexpected, such as {sorted(extra)[0][:80]!a}"


def _tokenizer(
    folder: Path,
    manifest: Manifest,
    config: Mapping[str, Any],
    known: Mapping[str, Mapping[str, Any]],
) -> Iterator[str]:
    size = config.get("vocab_size")
    entries: dict[str, int] = {}
    if "tokenizer.json" in manifest.files:
        try:
            entries = _entries(read_json(folder, "tokenizer.json", max_bytes=MAX_JSON_BYTES))
        except (ValueError, OSError) as error:
            yield f"tokenizer.json {error}"
            return
    elif "tokenizer.model" in manifest.files:
        if size_of(folder, "tokenizer.model") > _MAX_TOKENIZER_MODEL:
            yield f"tokenizer.model is larger than {_MAX_TOKENIZER_MODEL} bytes"
            return
        try:
            entries = _pieces(folder)
        except (ValueError, OSError) as error:
            yield f"tokenizer.model {error}"
            return
    highest = max(entries.values(), default=-1)
    if isinstance(size, int) and highest >= size:
        beyond = [text for text, number in entries.items() if number >= size]
        yield (
            f"the tokenizer has {highest + 1} entries, the embedding {size}: {beyond[0][:40]!a} is beyond it;"
            " they do not belong together"
        )
    ends = _token(known.get("tokenizer_config.json", {}).get("eos_token"))
    numbers = [
        source.get("eos_token_id")
        for source in (config, known.get("generation_config.json", {}))
        if source.get("eos_token_id") is not None
    ]
    if ends is None and not numbers and entries:
        yield "no EOS token; name it in tokenizer_config.json (eos_token) or config.json (eos_token_id)"
    for number in [n for value in numbers for n in (value if isinstance(value, list) else [value])]:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            yield f"eos_token_id is {number!a}, which is not a token"
        elif isinstance(size, int) and number >= size:
            yield f"eos_token_id {number} is beyond the embedding of {size}"


def _entries(tokenizer: Mapping[str, Any]) -> dict[str, int]:
    """Text -> id of a tokenizer.json. Raises ValueError when it is not one."""
    model = tokenizer.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    entries: dict[str, int] = {}
    if isinstance(vocabulary, dict):
        entries = dict(vocabulary)
    elif isinstance(vocabulary, list):
        entries = {
            str(entry[0]): n
            for n, entry in enumerate(vocabulary)
            if isinstance(entry, list) and entry
        }
    for token in tokenizer.get("added_tokens") or []:
        if isinstance(token, dict):
            entries[str(token.get("content"))] = token.get("id", -1)
    if not entries:
        raise ValueError("has no vocabulary")
    if any(not isinstance(n, int) or isinstance(n, bool) or n < 0 for n in entries.values()):
        raise ValueError("has entries whose ids are not numbers")
    return entries


def _pieces(folder: Path) -> dict[str, int]:
    """Text -> id of a SentencePiece model; nothing where its reader is not installed."""
    try:
        from sentencepiece import SentencePieceProcessor
    except ImportError:
        return {}
    try:
        model = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
        return {model.id_to_piece(n): n for n in range(model.vocab_size())}
    except (OSError, RuntimeError) as error:
        raise ValueError(f"is damaged: {error}") from error


def _token(value: object) -> str | None:
    text = value.get("content") if isinstance(value, dict) else value
    return text if isinstance(text, str) and text else None
