"""Loading of checkpoints: foreign folders work, and invalid ones raise errors that say why."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from sentencepiece import SentencePieceProcessor

from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.manifest import write_manifest
from judgestream.core.errors import ConfigurationError
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine.checkpoint import Checkpoint, load, load_model, load_tokens
from judgestream.engine.judge import Judge
from tests.engine import tiny

FolderOf = Callable[[str], Path]


def copy_of(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def test_a_folder_like_judgelm_7b_loads(folder_of: FolderOf) -> None:
    folder = folder_of("spm")
    names = {path.name for path in folder.iterdir()}
    assert "tokenizer.model" in names and "tokenizer.json" not in names
    assert sum(name.endswith(".bin") for name in names) == 2
    assert not any(name.endswith(".safetensors") for name in names)
    checkpoint = load(folder)
    assert checkpoint.digest == describe(folder).digest
    assert checkpoint.tokens.start == (1,) and checkpoint.tokens.eos == {2}
    assert checkpoint.max_input_tokens == 2032 and checkpoint.context_tokens == 2048


def test_the_converted_tokenizer_equals_sentencepiece(folder_of: FolderOf) -> None:
    folder = folder_of("spm")
    reference = SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))
    tokens = load_tokens(folder)
    for text in (*tiny.corpus(), " a", "  a  b ", "\n\nx", "", "\ttab\u00a0nbsp \u4f60 \U0001f600"):
        assert tokens.prompt(text) == [1, *reference.encode(text)], text


def test_a_prompt_is_its_text_behind_the_tokenizers_prefix(
    checkpoint: Checkpoint,
) -> None:
    ids = checkpoint.tokens.prompt(tiny.PROMPTS[0])
    assert ids == checkpoint.tokenizer.encode(tiny.PROMPTS[0], add_special_tokens=True)
    assert checkpoint.tokenizer.decode(ids, skip_special_tokens=True) == tiny.PROMPTS[0]


def test_line_ends_are_newlines_and_eos(checkpoint: Checkpoint) -> None:
    for end in checkpoint.tokens.ends - checkpoint.tokens.eos:
        assert str(checkpoint.tokenizer.decode([end])).startswith("\n")
    newline = checkpoint.tokens.continuation(tiny.PROMPTS[0], "8 7\n")[-1]
    assert newline in checkpoint.tokens.ends


def test_the_tokenizer_file_is_used_unchanged(folder_of: FolderOf) -> None:
    # transformers' LlamaTokenizer would rebuild it without its digit splitting
    folder = folder_of("split")
    ids = load_tokens(folder).continuation(tiny.PROMPTS[0], "10 10")
    assert len(ids) == 5


def test_the_manifest_names_the_checkpoint(folder_of: FolderOf, tmp_path: Path) -> None:
    folder = copy_of(folder_of("split"), tmp_path / "c")
    manifest = describe(folder, name="mine", max_input_tokens=300)
    write_manifest(folder, manifest)
    checkpoint = load(folder)
    assert checkpoint.manifest == manifest
    assert checkpoint.max_input_tokens == 300


def test_dtype_is_fp32_on_a_cpu_unless_asked_for(folder_of: FolderOf) -> None:
    assert load(folder_of("split")).model.dtype == torch.float32
    assert load(folder_of("split"), dtype=torch.bfloat16).model.dtype == torch.bfloat16


def test_missing_weights_are_an_error_not_random_numbers(
    folder_of: FolderOf, tmp_path: Path
) -> None:
    folder = copy_of(folder_of("split"), tmp_path / "c")
    state = load_file(folder / "model.safetensors")
    del state["model.layers.1.mlp.up_proj.weight"]
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(ConfigurationError, match=r"1 weights are missing.*layers\.1\.mlp\.up_proj"):
        load(folder)


def test_old_rotary_frequencies_are_ignored(folder_of: FolderOf, tmp_path: Path) -> None:
    folder = copy_of(folder_of("split"), tmp_path / "c")
    prompt = [Prompt(text=tiny.PROMPTS[0], grammar=tiny.PAIR)]
    (expected,) = Judge(load(folder)).read(prompt)
    state = load_file(folder / "model.safetensors")
    state["model.layers.0.self_attn.rotary_emb.inv_freq"] = torch.ones(4)
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (reply,) = Judge(load(folder)).read(prompt)
    assert isinstance(reply, Reply) and isinstance(expected, Reply)
    assert (reply.text, reply.score_probs) == (expected.text, expected.score_probs)


def test_weights_of_another_shape_are_an_error(folder_of: FolderOf, tmp_path: Path) -> None:
    folder = copy_of(folder_of("split"), tmp_path / "c")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "intermediate_size": 64}))
    with pytest.raises(ConfigurationError, match="weights"):
        load(folder)


def test_another_architecture_is_refused(folder_of: FolderOf, tmp_path: Path) -> None:
    folder = copy_of(folder_of("split"), tmp_path / "c")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "gpt2"}))
    with pytest.raises(ConfigurationError, match="the engine supports llama, mistral"):
        load(folder)


class _Payload:
    """Would run code if anything unpickled it."""

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("/tmp/judgestream-unpickled"),))  # noqa: S108


def test_code_in_a_pickle_never_runs(folder_of: FolderOf, tmp_path: Path) -> None:
    folder = copy_of(folder_of("spm"), tmp_path / "c")
    shard = next(folder.glob("pytorch_model-00001*.bin"))
    torch.save({"model.embed_tokens.weight": _Payload()}, shard)
    with pytest.raises(ConfigurationError, match=r"would call 'pathlib\.Path\.touch'|would call"):
        load(folder)
    with pytest.raises(ConfigurationError, match="loading the weights failed"):
        load_model(folder, None)  # torch's own loader would not run it either
    assert not Path("/tmp/judgestream-unpickled").exists()  # noqa: S108


def test_a_truncated_weight_file_is_an_error(folder_of: FolderOf, tmp_path: Path) -> None:
    folder = copy_of(folder_of("split"), tmp_path / "c")
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ConfigurationError, match="truncated"):
        load(folder)


def test_a_prompt_limit_beyond_the_context_is_an_error(folder_of: FolderOf, tmp_path: Path) -> None:
    folder = copy_of(folder_of("split"), tmp_path / "c")
    write_manifest(folder, describe(folder, max_input_tokens=2048))
    with pytest.raises(ConfigurationError, match="max_input_tokens 2048"):
        load(folder)
