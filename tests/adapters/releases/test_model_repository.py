"""Installing a release: complete or not at all, once per digest, damage refused."""

import json
import os
import re
from pathlib import Path

import pytest

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.model_folder import CHECKPOINT
from judgestream.adapters.releases.model_repository import TRIAL_PROMPTS, install
from judgestream.adapters.releases.tuning import Tuning
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.dtypes import Dtype
from judgestream.checkpoints.manifest import FILE_NAME, read_manifest, write_manifest
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Release
from tests.checkpoints.folders import write_checkpoint


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    folder = write_checkpoint(tmp_path / "judge")
    write_manifest(folder, describe(folder, name="tiny", max_input_tokens=1000))
    return folder


def times(folder: Path) -> dict[str, int]:
    return {str(p): p.stat().st_mtime_ns for p in folder.rglob("*") if p.is_file()}


def parameters(config: str) -> dict[str, str]:
    return dict(re.findall(r'key: "(\w+)" value: \{ string_value: "([^"]*)" \}', config))


def test_a_release_is_named_by_family_and_digest(checkpoint: Path, tmp_path: Path) -> None:
    digest = read_manifest(checkpoint).digest
    release = install(checkpoint, tmp_path / "models")
    assert release == Release(
        name=f"judgelm-{digest[:8]}",
        checkpoint_digest=digest,
        template_id="judgelm-v1",
        max_input_tokens=1000,
    )
    folder = tmp_path / "models" / release.name
    assert sorted(p.name for p in folder.iterdir()) == ["1", "config.pbtxt"]
    assert read_manifest(folder / CHECKPOINT) == read_manifest(checkpoint)
    model = bundled_models() / "judgelm" / "1" / "model.py"
    assert (folder / "1" / "model.py").read_text() == model.read_text()
    assert [p.name for p in (tmp_path / "models").iterdir()] == [release.name]


def test_the_configuration_says_what_the_release_is(checkpoint: Path, tmp_path: Path) -> None:
    release = install(
        checkpoint,
        tmp_path / "models",
        instances=3,
        device="gpu",
        tuning=Tuning(threads=2, max_queue_size=7, dtype=Dtype.BFLOAT16),
    )
    config = (tmp_path / "models" / release.name / "config.pbtxt").read_text()
    assert f'name: "{release.name}"' in config
    assert "count: 3 kind: KIND_GPU" in config
    assert "max_queue_size: 7" in config
    assert "$" not in config
    found = parameters(config)
    assert found["checkpoint_digest"] == release.checkpoint_digest
    assert found["template_id"] == "judgelm-v1"
    assert found["family"] == "judgelm"
    assert found["max_input_tokens"] == "1000"
    assert found["threads"] == "2"
    assert found["dtype"] == "bfloat16"
    assert (Path(found["python_path"]) / "judgestream" / "__init__.py").exists()


def test_a_release_over_several_gpus_names_them(checkpoint: Path, tmp_path: Path) -> None:
    prompts = tmp_path / "mine.jsonl"
    prompts.write_text('{"question": "q", "answers": ["a", "b"]}\n')
    release = install(
        checkpoint,
        tmp_path / "models",
        device="gpu",
        gpus=(4, 5, 6, 7),
        tuning=Tuning(tensor_parallel=2, dtype=Dtype.FLOAT8, compile=True, peak_tflops=500.0),
        trial_prompts=prompts,
    )
    folder = tmp_path / "models" / release.name
    config = (folder / "config.pbtxt").read_text()
    assert "gpus: [ 4 ]" in config and "gpus: [ 6 ]" in config and "gpus: [ 5 ]" not in config
    found = parameters(config)
    assert found["gpus"] == "4,5,6,7"
    assert found["tensor_parallel"] == "2"
    assert found["compile"] == "true"
    assert found["peak_tflops"] == "500.0"
    assert found["dtype"] == "float8"
    assert (folder / TRIAL_PROMPTS).read_text() == prompts.read_text()


def test_gpus_that_form_no_whole_groups_leave_nothing_behind(
    checkpoint: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="groups of 2"):
        install(
            checkpoint,
            tmp_path / "models",
            device="gpu",
            gpus=(0, 1, 2),
            tuning=Tuning(tensor_parallel=2),
        )
    assert not (tmp_path / "models").exists()


def test_int8_on_a_gpu_leaves_nothing_behind(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="int8 is for CPUs"):
        install(checkpoint, tmp_path / "models", device="gpu", tuning=Tuning(dtype=Dtype.INT8))
    assert not (tmp_path / "models").exists()


def test_installing_again_changes_nothing(checkpoint: Path, tmp_path: Path) -> None:
    first = install(checkpoint, tmp_path / "models")
    before = times(tmp_path / "models")
    assert install(checkpoint, tmp_path / "models") == first
    assert times(tmp_path / "models") == before


def test_other_settings_rewrite_the_configuration_only(checkpoint: Path, tmp_path: Path) -> None:
    install(checkpoint, tmp_path / "models")
    before = times(tmp_path / "models")
    install(checkpoint, tmp_path / "models", instances=2)
    after = times(tmp_path / "models")
    assert {Path(p).name for p in before if before[p] != after[p]} == {"config.pbtxt"}


def test_a_damaged_checkpoint_is_not_installed(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "model.safetensors").write_bytes(b"weight")
    with pytest.raises(ConfigurationError, match=r"model\.safetensors has changed"):
        install(checkpoint, tmp_path / "models")
    assert not (tmp_path / "models").exists()


def test_damage_to_an_installed_release_is_found(checkpoint: Path, tmp_path: Path) -> None:
    release = install(checkpoint, tmp_path / "models")
    (tmp_path / "models" / release.name / CHECKPOINT / "model.safetensors").write_bytes(b"")
    with pytest.raises(ConfigurationError, match=r"model\.safetensors has changed"):
        install(checkpoint, tmp_path / "models")


def test_a_missing_file_is_named(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "card.md").unlink()
    with pytest.raises(ConfigurationError, match=r"card\.md is missing"):
        install(checkpoint, tmp_path / "models")


def test_a_foreign_folder_gets_an_identity_and_stays_untouched(
    checkpoint: Path, tmp_path: Path
) -> None:
    (checkpoint / FILE_NAME).unlink()
    before = times(checkpoint)
    release = install(checkpoint, tmp_path / "models")
    assert times(checkpoint) == before
    installed = tmp_path / "models" / release.name / CHECKPOINT
    assert read_manifest(installed).digest == describe(checkpoint).digest
    assert release.max_input_tokens == 2032


@pytest.mark.parametrize("link", [False, True])
def test_links_share_the_file_and_copies_do_not(
    checkpoint: Path, tmp_path: Path, link: bool
) -> None:
    release = install(checkpoint, tmp_path / "models", link=link)
    installed = tmp_path / "models" / release.name / CHECKPOINT / "model.safetensors"
    assert os.path.samefile(installed, checkpoint / "model.safetensors") is link


def test_two_checkpoints_live_side_by_side(checkpoint: Path, tmp_path: Path) -> None:
    one = install(checkpoint, tmp_path / "models")
    write_checkpoint(checkpoint, fill=b"\1")
    write_manifest(checkpoint, describe(checkpoint))
    two = install(checkpoint, tmp_path / "models")
    assert {p.name for p in (tmp_path / "models").iterdir()} == {one.name, two.name}


def test_another_digest_under_the_same_name_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    release = install(checkpoint, tmp_path / "models")
    manifest = tmp_path / "models" / release.name / CHECKPOINT / FILE_NAME
    stored = json.loads(manifest.read_text())
    stored["files"]["config.json"] = "0" * 64
    manifest.write_text(json.dumps(stored))
    with pytest.raises(ConfigurationError, match="contradicts itself"):
        install(checkpoint, tmp_path / "models")


def test_a_source_without_a_model_is_refused(checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="is not a Triton model"):
        install(checkpoint, tmp_path / "models", model_source=tmp_path)
    source = tmp_path / "source"
    (source / "1").mkdir(parents=True)
    (source / "1" / "model.py").write_text("")
    (source / "config.pbtxt").write_text('name: "${nmae}"')
    with pytest.raises(ConfigurationError, match="unknown placeholder 'nmae'"):
        install(checkpoint, tmp_path / "models", model_source=source)


def test_the_bundled_models_are_found() -> None:
    assert (bundled_models() / "judgelm" / "config.pbtxt").is_file()
