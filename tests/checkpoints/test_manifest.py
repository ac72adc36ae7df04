"""The manifest: identity, completeness, and errors that name the damaged file."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.manifest import (
    FILE_NAME,
    digest_of,
    read_manifest,
    verify,
    write_manifest,
)
from judgestream.core.errors import ConfigurationError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "judge"
    folder.mkdir()
    (folder / "config.json").write_text('{"max_position_embeddings": 2048}')
    (folder / "model.safetensors").write_bytes(b"weights")
    (folder / "tokenizer.json").write_text("{}")
    (folder / "card.md").write_text("good")
    return folder


def test_digest_is_the_sum_over_sorted_model_file_lines(folder: Path) -> None:
    sums = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in ("config.json", "model.safetensors", "tokenizer.json")
    }
    lines = sorted(f"{digest}  {name}\n" for name, digest in sums.items())
    expected = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert describe(folder).digest == expected
    assert digest_of({**sums, "card.md": "0" * 64}) == expected


def test_a_card_is_listed_but_does_not_change_the_digest(folder: Path) -> None:
    before = describe(folder)
    (folder / "card.md").write_text("better")
    (folder / "evaluation.json").write_text("{}")
    after = describe(folder)
    assert after.digest == before.digest
    assert set(after.files) - set(before.files) == {"evaluation.json"}


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_every_model_file_changes_the_digest(folder: Path, name: str) -> None:
    before = describe(folder).digest
    with (folder / name).open("a") as file:
        file.write(" ")
    assert describe(folder).digest != before


def test_what_is_written_is_read_back(folder: Path) -> None:
    manifest = describe(
        folder,
        name="tiny",
        recipe={"steps": 3},
        data={"seed": 1},
        evaluation={"accuracy": 0.5},
        created_at="2026-01-01T00:00:00Z",
    )
    assert write_manifest(folder, manifest) == folder / FILE_NAME
    assert read_manifest(folder) == manifest
    assert manifest.max_input_tokens == 2032
    verify(folder, manifest)
    assert describe(folder).files == manifest.files, "the manifest does not list itself"
    assert not list(folder.glob(".*")), "no draft is left behind"


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda f: (f / "model.safetensors").write_bytes(b"weigh"), r"model\.safetensors.*5 bytes"),
        (lambda f: (f / "tokenizer.json").unlink(), r"tokenizer\.json is missing"),
        (lambda f: (f / "card.md").write_text("bad"), r"card\.md has changed"),
        (lambda f: (f / "added_tokens.json").write_text("{}"), r"added_tokens\.json is not in"),
    ],
)
def test_verify_names_the_damaged_file(folder: Path, damage: object, message: str) -> None:
    manifest = describe(folder)
    assert callable(damage)
    damage(folder)
    with pytest.raises(ConfigurationError, match=message):
        verify(folder, manifest)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other/2"}, "format 'other/2'"),
        ({"digest": None}, "'digest' is None"),
        ({"max_input_tokens": "many"}, "'max_input_tokens' is 'many'"),
        ({"max_input_tokens": True}, "'max_input_tokens' is True"),
        ({"colour": "red"}, r"unknown fields \['colour'\]"),
        ({"digest": "0" * 64}, "contradicts itself"),
    ],
)
def test_a_bad_field_is_named(folder: Path, change: dict[str, object], message: str) -> None:
    path = write_manifest(folder, describe(folder))
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ConfigurationError, match=message):
        read_manifest(folder)


def test_a_missing_field_and_a_missing_or_broken_manifest_are_named(folder: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"judge: no manifest\.json"):
        read_manifest(folder)
    path = write_manifest(folder, describe(folder))
    stored = json.loads(path.read_text())
    del stored["files"]
    path.write_text(json.dumps(stored))
    with pytest.raises(ConfigurationError, match="no 'files'"):
        read_manifest(folder)
    path.write_text("{")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_manifest(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_an_incomplete_folder_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(ConfigurationError, match="complete Hugging Face LLaMA folder"):
        describe(folder)


def test_the_manifest_needs_no_torch() -> None:
    code = "import sys, judgestream.checkpoints.manifest; sys.exit('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=False, timeout=60)  # noqa: S603
    assert done.returncode == 0
