"""A release for Triton's vLLM backend: an engine with the weights, and the model that calls it."""

import json
import re
from pathlib import Path

import pytest

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.model_folder import CHECKPOINT
from judgestream.adapters.releases.vllm import VllmServing, install_vllm
from judgestream.checkpoints.dtypes import Dtype
from judgestream.checkpoints.manifest import read_manifest
from judgestream.checkpoints.temperature import read_temperature
from judgestream.core.errors import ConfigurationError

TINY = bundled_models() / "judges" / "tiny"


def parameters(folder: Path) -> dict[str, str]:
    text = (folder / "config.pbtxt").read_text()
    return dict(re.findall(r'key: "(\w+)" value: \{ string_value: "([^"]*)" \}', text))


def arguments(repository: Path, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(
        (repository / f"{name}-engine" / "1" / "model.json").read_text()
    )
    return found


def test_two_models_share_one_digest(tmp_path: Path) -> None:
    release = install_vllm(TINY, tmp_path)
    manifest = read_manifest(TINY)
    assert release.name == f"judgelm_vllm-{manifest.short}"
    assert release.checkpoint_digest == manifest.digest
    assert {p.name for p in tmp_path.iterdir()} == {release.name, f"{release.name}-engine"}
    assert read_manifest(tmp_path / f"{release.name}-engine" / CHECKPOINT) == manifest
    found = parameters(tmp_path / release.name)
    assert found["engine"] == f"{release.name}-engine"
    assert float(found["temperature"]) == read_temperature(TINY)
    assert "checkpoint_digest" not in parameters(tmp_path / f"{release.name}-engine")


def test_engine_arguments_point_at_the_checkpoint(tmp_path: Path) -> None:
    serving = VllmServing(
        dtype=Dtype.BFLOAT16,
        tensor_parallel=2,
        max_model_len=2048,
        arguments={"gpu_memory_utilization": 0.8, "enable_prefix_caching": False},
    )
    release = install_vllm(TINY, tmp_path, serving=serving)
    assert arguments(tmp_path, release.name) == {
        "model": str(tmp_path.resolve() / f"{release.name}-engine" / CHECKPOINT),
        "dtype": "bfloat16",
        "tensor_parallel_size": 2,
        "max_model_len": 2048,
        "enable_prefix_caching": False,
        "max_logprobs": 20,
        "gpu_memory_utilization": 0.8,
    }


def test_a_container_sees_the_repository_elsewhere(tmp_path: Path) -> None:
    release = install_vllm(TINY, tmp_path, serving=VllmServing(served_from=Path("/models")))
    wanted = f"/models/{release.name}-engine/{CHECKPOINT}"
    assert arguments(tmp_path, release.name)["model"] == wanted


def test_installing_again_rewrites_changed_files_and_keeps_the_weights(tmp_path: Path) -> None:
    release = install_vllm(TINY, tmp_path)
    weights = tmp_path / f"{release.name}-engine" / CHECKPOINT / "model.safetensors"
    before = weights.stat().st_mtime_ns
    assert install_vllm(TINY, tmp_path, serving=VllmServing(dtype=Dtype.FLOAT32)) == release
    assert weights.stat().st_mtime_ns == before
    assert arguments(tmp_path, release.name)["dtype"] == "float32"


def test_the_checkpoint_argument_is_reserved(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="leave it out"):
        install_vllm(TINY, tmp_path, serving=VllmServing(arguments={"model": "x/y"}))


def test_the_tokenizers_own_start_is_not_doubled(tmp_path: Path) -> None:
    release = install_vllm(TINY, tmp_path)
    assert parameters(tmp_path / release.name)["start"] == ""


def test_another_start_is_used_unchanged(tmp_path: Path) -> None:
    release = install_vllm(TINY, tmp_path, serving=VllmServing(start="<|begin|>"))
    assert parameters(tmp_path / release.name)["start"] == "<|begin|>"
