"""Installation of judges that see images."""

from pathlib import Path

import pytest

from judgestream.adapters.releases.facts import release_facts
from judgestream.adapters.releases.installed import Changes, changes, find
from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.checkpoints.dtypes import Dtype
from judgestream.checkpoints.reward_scale import RewardScale, write_reward_scale
from judgestream.core.errors import ConfigurationError
from tests.checkpoints.test_image_scorer import folder as clip_folder
from tests.checkpoints.test_vision import folder


def test_a_llava_folder_becomes_a_release_of_its_family(tmp_path: Path) -> None:
    release = install(folder(tmp_path / "llava"), tmp_path / "models")
    assert release.name == f"vision-{release.checkpoint_digest[:8]}"
    assert release.template_id == "llava-v1"
    config = (tmp_path / "models" / release.name / "config.pbtxt").read_text()
    assert 'name: "image"' in config and "${" not in config
    found = find(tmp_path / "models", release.name)
    assert found.family == "vision" and found.release == release
    assert changes(tmp_path / "models", found, Changes.FILES) == []


def test_a_clip_folder_becomes_an_image_scorer_with_its_scale(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = clip_folder(tmp_path / "clip")
    write_reward_scale(path, RewardScale(scale=1.0, margin=0.0, centre=20.0))
    release = install(path, tmp_path / "models")
    assert release.name == f"scorer-{release.checkpoint_digest[:8]}"
    assert (release.template_id, release.max_input_tokens) == ("image-scorer-v1", 77)
    found = find(tmp_path / "models", release.name)
    assert found.family == "scorer" and found.release == release
    assert changes(tmp_path / "models", found, Changes.FILES) == []
    facts = release_facts(tmp_path / "models", found)
    assert facts["modes"] == ["multimodal"]
    assert facts["reward_scale"] == {"scale": 1.0, "margin": 0.0, "centre": 20.0, "fitted": True}
    # without a scale its values are log-odds, so there is nothing to warn of
    caplog.clear()
    install(clip_folder(tmp_path / "plain"), tmp_path / "models")
    assert "calibrate" not in caplog.text


def test_a_scale_out_of_range_is_refused(tmp_path: Path) -> None:
    path = clip_folder(tmp_path / "clip")
    write_reward_scale(path, RewardScale(scale=0.0))
    with pytest.raises(ConfigurationError, match="unsupported method 'rao-kupper', scale 0.0"):
        install(path, tmp_path / "models")


def test_a_template_of_texts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="--template: not available"):
        install(
            folder(tmp_path / "llava"), tmp_path / "models", template=tmp_path / "template.yaml"
        )


@pytest.mark.parametrize(
    ("tuning", "option"),
    [
        (Tuning(dtype=Dtype.INT8), "--dtype int8"),
        (Tuning(compile=True), "--compile"),
        (Tuning(row_tokens=64), "--row-tokens"),
        (Tuning(decoupled=True), "--decoupled"),
    ],
)
def test_options_of_our_own_engine_are_refused_by_name(
    tmp_path: Path, tuning: Tuning, option: str
) -> None:
    with pytest.raises(ConfigurationError, match=f"{option}: not available for a judge that sees"):
        install(folder(tmp_path / "llava"), tmp_path / "models", tuning=tuning)
    assert not (tmp_path / "models").exists()
