"""A judge assembled from a base in GGUF and an adapter: the promised bytes, or an error."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

from judgestream.checkpoints.adapted import assemble, bfloat16, float32, write_adapted, write_base
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.files import sha256
from judgestream.checkpoints.gguf_llama import read_gguf
from judgestream.checkpoints.manifest import write_manifest
from judgestream.core.errors import ConfigurationError

gguf = pytest.importorskip("gguf")
TEMPLATE = "{% for m in messages %}{{ m['role'] + ': ' + m['content'] + '\n' }}{% endfor %}"


def model() -> LlamaForCausalLM:
    torch.manual_seed(3)
    made: Any = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=259,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            max_position_embeddings=128,
            rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
            tie_word_embeddings=True,
        )
    )
    plain: LlamaForCausalLM = made.to(torch.bfloat16)
    return plain


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The model in a GGUF file, as llama.cpp's converter writes it: rotary halves interleaved."""
    path = tmp_path / "base.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    made = model()
    config = made.config
    writer.add_context_length(128)
    writer.add_embedding_length(64)
    writer.add_block_count(2)
    writer.add_feed_forward_length(96)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(5000.0)
    writer.add_vocab_size(259)
    tokens = ["<end>", "<begin>", "<pad>", *_alphabet()]
    writer.add_tokenizer_model("gpt2")
    writer.add_token_list(tokens)
    writer.add_token_types([3, 3, 3, *[1] * 256])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(0)
    writer.add_unk_token_id(0)
    writer.add_pad_token_id(2)
    writer.add_chat_template(TEMPLATE)
    names = {
        "self_attn.q_proj": "attn_q",
        "self_attn.k_proj": "attn_k",
        "self_attn.v_proj": "attn_v",
        "self_attn.o_proj": "attn_output",
        "mlp.gate_proj": "ffn_gate",
        "mlp.up_proj": "ffn_up",
        "mlp.down_proj": "ffn_down",
        "input_layernorm": "attn_norm",
        "post_attention_layernorm": "ffn_norm",
    }
    for name, tensor in made.state_dict().items():
        values = tensor.float().numpy()
        if name == "model.embed_tokens.weight":
            writer.add_tensor("token_embd.weight", values)
        elif name == "model.norm.weight":
            writer.add_tensor("output_norm.weight", values)
        elif name.startswith("model.layers."):
            _, _, number, *inner, _ = name.split(".")
            kind = names[".".join(inner)]
            heads = {"attn_q": 4, "attn_k": 2}.get(kind)
            if heads:
                rows, width = values.shape
                values = values.reshape(heads, 2, rows // heads // 2, width).swapaxes(1, 2)
                values = np.ascontiguousarray(values.reshape(rows, width))
            writer.add_tensor(f"blk.{number}.{kind}.weight", values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture
def bundle(base: Path, tmp_path: Path) -> Path:
    """An adapter of one layer and a value head, with the manifest of what they give."""
    folder, whole = tmp_path / "bundle", tmp_path / "whole"
    folder.mkdir()
    torch.manual_seed(5)
    stem = "base_model.model.model.layers.1.self_attn.q_proj"
    tensors = {
        f"{stem}.lora_A.weight": torch.randn(4, 64).bfloat16(),
        f"{stem}.lora_B.weight": torch.randn(64, 4).bfloat16(),
        "base_model.model.score.weight": torch.randn(1, 64).bfloat16(),
    }
    save_file(tensors, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 8}))
    place = {"package": "p", "version": "1", "wheel_sha256": "0" * 64, "member": "m"}
    digest = sha256(base.parent, base.name)
    (folder / "bundle.json").write_text(json.dumps({"base": {**place, "sha256": digest}}))
    write_adapted(folder, read_gguf(base), whole)
    write_manifest(folder, describe(whole, name="tested", family="reward", max_input_tokens=64))
    return folder


def test_the_base_is_the_model_that_was_written(base: Path, tmp_path: Path) -> None:
    write_base(read_gguf(base), tmp_path / "out")
    read = LlamaForCausalLM.from_pretrained(tmp_path / "out", dtype=torch.bfloat16)
    for name, tensor in model().state_dict().items():
        assert torch.equal(read.state_dict()[name], tensor), name
    config: Any = read.config
    assert config.rope_parameters["rope_theta"] == 5000.0
    assert config.rms_norm_eps == 1e-6


def test_the_tokenizer_keeps_text_and_control_tokens(base: Path, tmp_path: Path) -> None:
    write_base(read_gguf(base), tmp_path / "out")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    ids = tokenizer.encode("é<end>", add_special_tokens=False)
    assert len(ids) == 3 and ids[-1] == 0
    assert tokenizer.decode(ids[:2]) == "é"
    assert tokenizer.chat_template == TEMPLATE


def test_the_adapter_changes_its_weight_by_the_scaled_product(
    base: Path, bundle: Path, tmp_path: Path
) -> None:
    manifest = assemble(bundle, base, tmp_path / "out")
    assert manifest.name == "tested"
    weights = load_file(tmp_path / "out" / "model.safetensors")
    adapter = load_file(bundle / "adapter_model.safetensors")
    name = "model.layers.1.self_attn.q_proj"
    down, up = (adapter[f"base_model.model.{name}.lora_{x}.weight"].double() for x in "AB")
    before = model().state_dict()[f"{name}.weight"]
    expected = (before.double() + 2.0 * (up @ down)).float().bfloat16()
    assert torch.equal(weights[f"{name}.weight"], expected)
    assert torch.equal(weights["score.weight"], adapter["base_model.model.score.weight"])
    untouched = "model.layers.0.self_attn.q_proj.weight"
    assert torch.equal(weights[untouched], model().state_dict()[untouched])


def test_another_base_is_refused(bundle: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.gguf"
    other.write_bytes(b"GGUF")
    with pytest.raises(ConfigurationError, match="is not the base"):
        assemble(bundle, other, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_what_is_not_the_promised_judge_is_refused(
    base: Path, bundle: Path, tmp_path: Path
) -> None:
    """A changed adapter, as after a broken copy."""
    (bundle / "adapter_config.json").write_text(json.dumps({"r": 4, "lora_alpha": 9}))
    with pytest.raises(ConfigurationError, match=r"differs from the published one in.*model\.safe"):
        assemble(bundle, base, tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors"])
def test_a_broken_adapter_is_named(name: str, base: Path, bundle: Path, tmp_path: Path) -> None:
    (bundle / name).write_bytes(b"{")
    with pytest.raises(ConfigurationError, match="no readable adapter"):
        assemble(bundle, base, tmp_path / "out")


def test_a_file_that_is_not_gguf_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"x" * 100)
    with pytest.raises(ConfigurationError, match="not a readable GGUF file"):
        read_gguf(path)


def test_rounding_to_bf16_is_torchs() -> None:
    torch.manual_seed(7)
    values = torch.cat(
        [torch.randn(4096) * 10.0 ** torch.randint(-30, 30, (4096,)), torch.zeros(1)]
    )
    halfway = torch.tensor([1.0 + 2**-8, 1.0 + 3 * 2**-8, -(1.0 + 2**-8)])
    for tensor in (values, halfway):
        ours = float32(bfloat16(tensor.numpy()))
        assert np.array_equal(ours, tensor.bfloat16().float().numpy())


def _alphabet() -> list[str]:
    from tokenizers import pre_tokenizers

    return sorted(pre_tokenizers.ByteLevel.alphabet())
