"""A published checkpoint is downloaded completely and verified, or refused; it cannot write elsewhere."""

import json
import shutil
from pathlib import Path

import pytest

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.adapters.releases.published_checkpoint import fetched
from judgestream.checkpoints.manifest import read_manifest
from judgestream.core.errors import ConfigurationError

TINY = bundled_models() / "judges" / "tiny"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "judges" / "tiny"))


def test_only_files_in_the_manifest_are_downloaded(store: Path) -> None:
    (store / "not-listed.py").write_text("x")
    manifest = read_manifest(store)
    with fetched(f"file://{store}") as folder:
        assert read_manifest(folder).digest == manifest.digest
        there = {str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()}
        assert there == {*manifest.files, "manifest.json"}
    assert not folder.exists()


def test_the_parent_folder_gets_a_hint(store: Path) -> None:
    with (
        pytest.raises(ConfigurationError, match="there are tiny"),
        fetched(f"file://{store.parent}"),
    ):
        pass


def test_a_damaged_file_is_refused(store: Path) -> None:
    (store / "config.json").write_text("{}")
    with pytest.raises(ConfigurationError, match=r"config\.json"), fetched(f"file://{store}"):
        pass


def test_a_missing_file_is_refused(store: Path) -> None:
    (store / "config.json").unlink()
    with pytest.raises(ConfigurationError, match="incomplete"), fetched(f"file://{store}"):
        pass


@pytest.mark.parametrize("name", ["../planted", "/etc/planted", "a/../../planted", "a\\b", ""])
def test_names_that_lead_elsewhere_are_refused(store: Path, name: str) -> None:
    manifest = json.loads((store / "manifest.json").read_text())
    manifest["files"][name] = "0" * 64
    (store / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(ConfigurationError), fetched(f"file://{store}"):
        pass
    assert not (store.parent / "planted").exists()


def test_a_secret_in_the_url_is_in_no_message() -> None:
    with pytest.raises(ConfigurationError) as caught, fetched("nosuch://user:geheim@host/x"):
        pass
    assert "geheim" not in str(caught.value)
