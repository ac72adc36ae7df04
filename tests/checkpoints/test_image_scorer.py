"""CLIP folders at inspection: what is recognised, and what is refused by name. Written without torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from judgestream.checkpoints.context import context_tokens
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.image_scorer import text_part
from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import read_manifest, write_manifest
from judgestream.core.errors import ConfigurationError
from tests.checkpoints.folders import write_tensors
from tests.checkpoints.vision_folders import refusal, write_vision_checkpoint

CLIP: dict[str, Any] = {
    "model_type": "clip",
    "architectures": ["CLIPModel"],
    "projection_dim": 24,
    "text_config": {"vocab_size": 8, "hidden_size": 4, "num_attention_heads": 2, "eos_token_id": 2},
    "vision_config": {"image_size": 32, "patch_size": 8},
}


def folder(
    path: Path,
    config: Mapping[str, Any] | None = None,
    processor: Mapping[str, Any] | None = None,
) -> Path:
    return write_vision_checkpoint(path, CLIP | dict(config or {}), processor)


def test_a_clip_folder_gets_its_family_template_and_whole_context(tmp_path: Path) -> None:
    manifest = describe(folder(tmp_path))
    assert (manifest.family, manifest.template_id) == ("scorer", "image-scorer-v1")
    # it writes no score line, so it reads as many tokens as it has positions: CLIP's 77
    assert manifest.max_input_tokens == context_tokens(tmp_path) == 77
    inspect(tmp_path, manifest)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_the_image_processor_and_the_scale_are_part_of_the_judge(tmp_path: Path) -> None:
    one = folder(tmp_path / "one")
    other = folder(tmp_path / "other", processor={"size": {"shortest_edge": 30}})
    scaled = folder(tmp_path / "scaled")
    (scaled / "calibration.json").write_text("{}")
    assert len({describe(path).digest for path in (one, other, scaled)}) == 3


def test_a_config_states_only_what_differs_from_the_defaults() -> None:
    text = text_part({"model_type": "clip"})
    assert (text["vocab_size"], text["max_position_embeddings"]) == (49408, 77)
    assert text_part(CLIP)["hidden_size"] == 4


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"text_config": {"hidden_size": 0}}, {}, "text_config: hidden_size is 0"),
    ({"text_config": {"model_type": "bert"}}, {}, "text_config: model type 'bert'"),
    ({"text_config": [1]}, {}, "text_config is not an object"),
    ({"vision_config": {"num_hidden_layers": 10**9}}, {}, "vision_config: num_hidden_layers is"),
    ({"vision_config": {"model_type": "vit"}}, {}, "vision_config: model type 'vit'"),
    ({"vision_config": {"patch_size": 999}}, {}, "image_size is 224 and patch_size 999"),
    ({"projection_dim": True}, {}, "projection_dim is True"),
    ({"quantization_config": {"bits": 4}}, {}, "the weights are quantised"),
    ({"auto_map": {"AutoModel": "x.Y"}}, {}, "auto_map refers to remote code"),
    ({}, {"auto_map": {"AutoImageProcessor": "x.Y"}}, "auto_map refers to remote code"),
    ({}, {"image_processor_type": "SiglipImageProcessor"}, "the image processor is that of siglip"),
    ({}, {"image_processor_type": "BlipImageProcessor"}, "image processor 'BlipImageProcessor'"),
    ({"model_type": "siglip"}, {}, "model type 'siglip'"),
]


@pytest.mark.parametrize(("config", "processor", "message"), REFUSED)
def test_what_cannot_be_served_is_refused_by_name(
    tmp_path: Path, config: dict[str, Any], processor: dict[str, Any], message: str
) -> None:
    assert message in refusal(folder(tmp_path, config, processor))


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (folder(tmp_path) / "pytorch_model.bin").write_bytes(b"\x80\x02}.")
    assert "needs safetensors weights only" in refusal(tmp_path)


def test_a_folder_without_tokenizer_json_is_refused(tmp_path: Path) -> None:
    (folder(tmp_path) / "tokenizer.json").rename(tmp_path / "tokenizer.model")
    assert "an image scorer needs its tokenizer.json" in refusal(tmp_path)


def test_stored_positions_are_no_quantised_weights(tmp_path: Path) -> None:
    path = folder(tmp_path)
    name = "text_model.embeddings.position_ids"
    write_tensors(path / "model.safetensors", {name: [1, 77]}, dtype="I8")
    inspect(path, describe(path))
    write_tensors(path / "model.safetensors", {name: [1, 77], "other": [4]}, dtype="I8")
    assert "1 weights are quantised or not numbers, such as 'other'" in refusal(path)


def test_a_manifest_of_another_family_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path)
    manifest = describe(path, family="vision", template_id="llava-v1")
    with pytest.raises(
        ConfigurationError, match="is an image scorer, but the manifest says family"
    ):
        inspect(path, manifest)


def test_vllm_is_refused(tmp_path: Path) -> None:
    assert "is not served by vLLM" in refusal(folder(tmp_path), engine=False)
