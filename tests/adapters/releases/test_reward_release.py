"""A published reward model is recognised and installed; what gives no single value is refused by name."""

import json
import logging
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint
from judgestream.adapters.releases.facts import release_facts
from judgestream.adapters.releases.installed import changes, find
from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.vllm import install_vllm
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.manifest import read_manifest, write_manifest
from judgestream.checkpoints.reward_scale import (
    RewardScale,
    read_reward_scale,
    write_reward_scale,
)
from judgestream.core.errors import ConfigurationError
from tests.engine import tiny, tiny_reward


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tiny_reward.make(tmp_path / "published")


def changed(folder: Path, **fields: Any) -> None:
    file = folder / "config.json"
    config = {**json.loads(file.read_text()), **fields}
    file.write_text(json.dumps({k: v for k, v in config.items() if v is not None}))


def test_a_published_folder_becomes_a_reward_release(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        release = install(folder, tmp_path / "models")
    assert release.name == f"reward-{release.checkpoint_digest[:8]}"
    assert (release.template_id, release.max_input_tokens) == ("reward-v1", 1008)
    assert "scale and tie margin are not fitted" in caplog.text
    model = tmp_path / "models" / release.name / "1" / "model.py"
    assert model.read_bytes() == (bundled_models() / "judgelm" / "1" / "model.py").read_bytes()
    assert changes(tmp_path / "models", find(tmp_path / "models", release.name)) == []


def test_a_fitted_scale_is_part_of_the_identity(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert read_reward_scale(folder) == RewardScale()
    bare = describe(folder)
    write_reward_scale(folder, RewardScale(scale=2.5, margin=0.75, centre=-3.0))
    fitted = RewardScale(scale=2.5, margin=0.75, centre=-3.0, fitted=True)
    assert read_reward_scale(folder) == fitted
    assert describe(folder).digest != bare.digest
    write_manifest(folder, describe(folder, name="fitted"))
    with caplog.at_level(logging.WARNING):
        release = install(folder, tmp_path / "models")
    assert release.checkpoint_digest == read_manifest(folder).digest
    assert "not fitted" not in caplog.text
    facts = release_facts(tmp_path / "models", find(tmp_path / "models", release.name))
    assert facts["reward_scale"] == asdict(fitted)
    assert facts["modes"] == ["pairwise", "single", "multi", "tournament"]


def test_the_chat_template_is_part_of_the_identity(folder: Path) -> None:
    before = describe(folder)
    files = [name for name in before.files if name.startswith("chat_template")]
    assert files == ["chat_template.jinja"]
    (folder / files[0]).write_text("{{ messages[0]['content'] }}")
    assert describe(folder).digest != before.digest


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "invalid calibration"),
        ("[]", "invalid calibration"),
        ('{"method": "rao-kupper", "scale": 1}', "invalid calibration"),
        ('{"method": "temperature", "scale": 1, "margin": 0, "centre": 0}', "unsupported method"),
        ('{"method": "rao-kupper", "scale": 0, "margin": 0, "centre": 0}', "scale 0.0"),
        ('{"method": "rao-kupper", "scale": 1, "margin": -1, "centre": 0}', "margin -1.0"),
        ('{"method": "rao-kupper", "scale": 1, "margin": 1e999, "centre": 0}', "margin inf"),
        ('{"method": "rao-kupper", "scale": 1, "margin": 0, "centre": -1e999}', "centre -inf"),
    ],
)
def test_an_invalid_scale_is_refused(folder: Path, tmp_path: Path, text: str, problem: str) -> None:
    (folder / "calibration.json").write_text(text)
    with pytest.raises(ConfigurationError, match=problem):
        install(folder, tmp_path / "models")


@pytest.mark.parametrize(
    ("labels", "problem"),
    [
        ({"0": "bad", "1": "good"}, "num_labels is 2; a reward model has one value per answer"),
        (None, "num_labels is 2"),  # transformers' default
        ({}, "num_labels is 0"),
    ],
)
def test_a_classifier_of_several_labels_is_refused(
    folder: Path, tmp_path: Path, labels: dict[str, str] | None, problem: str
) -> None:
    changed(folder, id2label=labels)
    with pytest.raises(ConfigurationError, match=problem):
        install(folder, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_other_refusals(folder: Path, tmp_path: Path) -> None:
    manifest = describe(folder)
    changed(folder, architectures=["LlamaForCausalLM"])
    with pytest.raises(ConfigurationError, match="lm_head"):
        install(folder, tmp_path / "models")
    changed(folder, architectures=["LlamaForSequenceClassification"])
    with pytest.raises(ConfigurationError, match="no vLLM models for the family 'reward'"):
        install_vllm(folder, tmp_path / "models")
    (folder / "model.safetensors").unlink()
    pickled = tiny.make(tmp_path / "pickled", "spm")
    for file in pickled.glob("pytorch_model*"):
        file.rename(folder / file.name)
    with pytest.raises(ConfigurationError, match="a reward model must be safetensors"):
        install(folder, tmp_path / "models")
    assert manifest.family == "reward"


def test_a_manifest_of_another_family_is_refused(folder: Path, tmp_path: Path) -> None:
    write_manifest(folder, describe(folder, family="judgelm", template_id="judgelm-v1"))
    with pytest.raises(
        ConfigurationError, match="a reward model, but the manifest says family judgelm"
    ):
        install(folder, tmp_path / "models")
    with pytest.raises(ConfigurationError, match="template 'judgelm-v1' is not for family reward"):
        describe(folder, family="reward", template_id="judgelm-v1")


def test_an_endpoint_cannot_give_values(tmp_path: Path) -> None:
    judge = RemoteJudge(
        endpoint="https://host.example/v1", endpoint_model="m", template_id="reward-v1"
    )
    with pytest.raises(ConfigurationError, match="reward-v1 is for reward models"):
        install_endpoint(judge, tmp_path / "models")
