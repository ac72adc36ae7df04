"""LLaVA folders at inspection: what is recognised, and what is refused by name. Written without torch."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from judgestream.checkpoints.context import context_tokens
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.inspection import inspect
from judgestream.checkpoints.manifest import read_manifest, write_manifest
from judgestream.checkpoints.vision import image_processor, image_tokens, text_config
from judgestream.core.errors import ConfigurationError
from tests.checkpoints.folders import CONFIG, write_checkpoint
from tests.checkpoints.vision_folders import refusal, write_vision_checkpoint

TEXT = {key: value for key, value in CONFIG.items() if key not in ("architectures", "dtype")}
TOWER = {"model_type": "clip_vision_model", "image_size": 32, "patch_size": 8}
LLAVA: dict[str, Any] = {
    "model_type": "llava",
    "architectures": ["LlavaForConditionalGeneration"],
    "text_config": TEXT,
    "vision_config": TOWER,
    "image_token_index": 7,
    "eos_token_id": 2,
}


def folder(
    path: Path,
    config: Mapping[str, Any] | None = None,
    processor: Mapping[str, Any] | None = None,
) -> Path:
    return write_vision_checkpoint(path, LLAVA | dict(config or {}), processor)


def test_a_llava_folder_gets_its_family_and_template(tmp_path: Path) -> None:
    manifest = describe(folder(tmp_path))
    assert (manifest.family, manifest.template_id) == ("vision", "llava-v1")
    assert manifest.max_input_tokens == 2048 - 16 and context_tokens(tmp_path) == 2048
    inspect(tmp_path, manifest)
    write_manifest(tmp_path, manifest)
    assert read_manifest(tmp_path) == manifest


def test_the_image_processor_is_part_of_the_judge(tmp_path: Path) -> None:
    one = describe(folder(tmp_path / "one")).digest
    other = describe(folder(tmp_path / "other", processor={"size": {"shortest_edge": 30}})).digest
    assert one != other


def test_a_judge_of_texts_keeps_its_digest_beside_such_a_file(tmp_path: Path) -> None:
    bare = describe(write_checkpoint(tmp_path / "bare")).digest
    path = write_checkpoint(tmp_path / "more")
    (path / "preprocessor_config.json").write_text("{}")
    assert describe(path).digest == bare


@pytest.mark.parametrize(
    ("kind", "strategy", "tokens"),
    [
        ("clip_vision_model", "default", 576),
        ("clip_vision_model", "full", 577),
        ("siglip_vision_model", "full", 576),
    ],
)
def test_tokens_of_an_image(kind: str, strategy: str, tokens: int) -> None:
    """336 pixels in patches of 14 are 24 x 24; CLIP has a class token, which "default" drops."""
    tower = {"model_type": kind, "image_size": 336, "patch_size": 14}
    config = LLAVA | {"vision_config": tower, "vision_feature_select_strategy": strategy}
    assert image_tokens(config) == tokens


def test_a_llama_states_only_what_differs_from_the_defaults() -> None:
    text = text_config(LLAVA | {"text_config": {"model_type": "llama", "vocab_size": 32064}})
    assert (text["hidden_size"], text["vocab_size"]) == (4096, 32064)
    assert text_config(CONFIG) is CONFIG


def test_an_image_processor_may_stand_in_the_processors_own_file(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "preprocessor_config.json").unlink()
    named = {"image_processor_type": "SiglipImageProcessorFast", "do_resize": True, "other": 1}
    (tmp_path / "processor_config.json").write_text(json.dumps({"image_processor": named}))
    assert image_processor(tmp_path) == ("siglip", {"do_resize": True})


REFUSED: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({"text_config": TEXT | {"model_type": "gemma"}}, {}, "text_config: model type 'gemma'"),
    ({"text_config": TEXT | {"hidden_size": 0}}, {}, "hidden_size is 0"),
    ({"vision_config": TOWER | {"model_type": "vit"}}, {}, "vision_config: model type 'vit'"),
    ({"vision_config": None}, {}, "vision_config: model type None"),
    ({"vision_config": TOWER | {"patch_size": 64}}, {}, "image_size is 32 and patch_size 64"),
    ({"vision_config": TOWER | {"image_size": 10**9}}, {}, "image_size is 1000000000"),
    ({"vision_feature_select_strategy": "mean"}, {}, "vision_feature_select_strategy 'mean'"),
    ({"image_token_index": 8}, {}, "image_token_index 8 is beyond the embedding of 8"),
    ({"quantization_config": {"bits": 4}}, {}, "the weights are quantised"),
    ({"auto_map": {"AutoModel": "x.Y"}}, {}, "auto_map refers to remote code"),
    ({}, {"auto_map": {"AutoImageProcessor": "x.Y"}}, "auto_map refers to remote code"),
    ({}, {"image_processor_type": "ViTImageProcessor"}, "image processor 'ViTImageProcessor'"),
    ({"model_type": "llava_next"}, {}, "model type 'llava_next'"),
]


@pytest.mark.parametrize(("config", "processor", "message"), REFUSED)
def test_what_cannot_be_served_is_refused_by_name(
    tmp_path: Path, config: dict[str, Any], processor: dict[str, Any], message: str
) -> None:
    assert message in refusal(folder(tmp_path, config, processor))


def test_a_folder_without_an_image_processor_is_refused(tmp_path: Path) -> None:
    (folder(tmp_path) / "preprocessor_config.json").unlink()
    assert "no image processor (preprocessor_config.json or" in refusal(tmp_path)


def test_pickled_weights_are_refused(tmp_path: Path) -> None:
    (folder(tmp_path) / "pytorch_model.bin").write_bytes(b"\x80\x02}.")
    assert "needs safetensors weights only" in refusal(tmp_path)


def test_vllm_is_refused(tmp_path: Path) -> None:
    assert "a judge that sees images is not served by vLLM" in refusal(
        folder(tmp_path), engine=False
    )


@pytest.mark.parametrize(
    ("family", "template_id"),
    [("vision", "judgelm-v1"), ("judgelm", "llava-v1"), ("reward", "llava-v1")],
)
def test_a_manifest_names_a_template_of_its_family(
    tmp_path: Path, family: str, template_id: str
) -> None:
    with pytest.raises(ConfigurationError, match="is not for family"):
        describe(folder(tmp_path), family=family, template_id=template_id)


def test_a_manifest_of_another_family_is_refused(tmp_path: Path) -> None:
    path = folder(tmp_path)
    manifest = describe(path, family="judgelm", template_id="judgelm-v1")
    with pytest.raises(
        ConfigurationError, match="sees images, but the manifest says family judgelm"
    ):
        inspect(path, manifest)
