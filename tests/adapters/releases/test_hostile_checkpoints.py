"""Installing an untrusted checkpoint changes its own release only, or nothing at all."""

import hashlib
import json
import os
import struct
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from judgestream.adapters.releases.installed import changes, find
from judgestream.adapters.releases.model_config import pbtxt_quoted
from judgestream.adapters.releases.model_folder import CHECKPOINT
from judgestream.adapters.releases.model_repository import install
from judgestream.adapters.releases.vllm import install_vllm
from judgestream.checkpoints.describing import describe
from judgestream.checkpoints.manifest import FILE_NAME, FORMAT, digest_of, write_manifest
from judgestream.core.errors import ConfigurationError
from tests.checkpoints.folders import SHAPES, write_checkpoint, write_raw, write_tensors


@pytest.fixture
def world(tmp_path: Path) -> Path:
    """A repository with one good release, a file beside it, and a hostile checkpoint in the making."""
    good = write_checkpoint(tmp_path / "good", fill=b"\7")
    install(good, tmp_path / "models")
    (tmp_path / "private.key").write_text("hunter2")
    (tmp_path / "private.key").chmod(0o600)
    write_checkpoint(tmp_path / "hostile")
    return tmp_path


def state(root: Path) -> dict[str, tuple[int, bytes]]:
    """Every file outside the hostile folder: its kind and rights, and its bytes."""
    return {
        str(path.relative_to(root)): (
            path.lstat().st_mode,
            path.read_bytes() if path.is_file() else b"",
        )
        for path in sorted(root.rglob("*"))
        if not path.is_relative_to(root / "hostile")
    }


def forge(folder: Path, **changes: Any) -> None:
    """A manifest that agrees with itself, whatever it says."""
    files = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file() and path.name != FILE_NAME
    }
    files |= changes.pop("more_files", {})
    manifest = {
        "format": FORMAT,
        "name": "hostile",
        "family": "judgelm",
        "template_id": "judgelm-v1",
        "files": files,
        "digest": digest_of(files),
        "max_input_tokens": 1000,
        "recipe": {},
        "data": {},
        "evaluation": {},
        "calibration": None,
        "created_at": "",
    }
    (folder / FILE_NAME).write_text(json.dumps({**manifest, **changes}))


MANIFESTS: dict[str, Mapping[str, Any]] = {
    **{
        f"file {name!a}"[:40]: {"more_files": {name: hashlib.sha256(b"").hexdigest()}}
        for name in (
            "../planted.py", "../../../judgelm-0a1b2c3d/1/model.py", "/var/planted", "..\\planted",
            "plots/../../../planted", ".hidden", "a\0b", "a\nb", "model.py", "x/config.pbtxt", "CONFIG.json",
            "config.json/x", "e\u0301", "x" * 300, "",
        )
    },
    "family up": {"family": "../../../hostile"},
    "family unknown": {"family": "judgelm2"},
    "family of an endpoint": {"family": "openai_judge"},
    "family with a break": {"family": "judgelm\n"},
    "template": {"template_id": "nobody-v9"},
    "template with quotes": {"template_id": 'x" } parameters { key: "a'},
    "name up": {"name": "../x"},
    "name with a break": {"name": "a\nI1126 forged log line"},
    "name empty": {"name": ""},
    "name long": {"name": "x" * 200},
    "name terminal": {"name": "\x1b]0;x\x07"},
    **{
        f"tokens {value}"[:30]: {"max_input_tokens": value}
        for value in (0, -1, 10**9, 2**63, 1.0, True, None, "1000", 2048, 100_000)
    },
    "sum": {"more_files": {"x.md": "0" * 63}},
    "sum of another kind": {"more_files": {"x.md": 7}},
    "digest": {"digest": "F" * 64},
    "another format": {"format": "judgestream-checkpoint/2"},
    "another field": {"python_path": "/var"},
    "time": {"created_at": "x\n"},
    "files as a list": {"files": ["config.json"]},
    "too large": {"recipe": {"x": "y" * 5_000_000}},
}  # fmt: skip


@pytest.mark.parametrize("changes", MANIFESTS.values(), ids=MANIFESTS)
@pytest.mark.parametrize("way", [install, install_vllm])
def test_a_hostile_manifest_changes_nothing(
    world: Path, way: Callable[[Path, Path], object], changes: Mapping[str, Any]
) -> None:
    forge(world / "hostile", **changes)
    before = state(world)
    with pytest.raises(ConfigurationError) as caught:
        way(world / "hostile", world / "models")
    assert state(world) == before
    assert len(str(caught.value)) < 4000 and str(caught.value).replace("\n", "").isprintable()


def test_a_duplicate_member_is_refused(world: Path) -> None:
    forge(world / "hostile")
    text = (world / "hostile" / FILE_NAME).read_text()
    (world / "hostile" / FILE_NAME).write_text(text.replace("{", '{"family": "judgelm", ', 1))
    with pytest.raises(ConfigurationError, match="twice"):
        install(world / "hostile", world / "models")


Change = Callable[[Path], object]


def json_change(name: str, **changes: object) -> Change:
    def change(folder: Path) -> None:
        path = folder / name
        found = json.loads(path.read_text()) if path.exists() else {}
        path.write_text(json.dumps({**found, **changes}))

    return change


NO_CHANGES: Mapping[str, list[int] | None] = {}


def tensors(changes: Mapping[str, list[int] | None] = NO_CHANGES, dtype: str = "F32") -> Change:
    """`changes`: a shape by tensor name, None to leave the tensor out."""
    shapes = {k: v for k, v in {**SHAPES, **changes}.items() if v is not None}
    return lambda folder: write_tensors(folder / "model.safetensors", shapes, dtype=dtype)


def raw(header: object, data: bytes = b"") -> Change:
    return lambda folder: write_raw(folder / "model.safetensors", header, data)


def index(where: Mapping[str, str]) -> Change:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": where}))

    return change


def pickled(program: bytes, member: str = "archive/data.pkl") -> Change:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
            archive.writestr(member, program)

    return change


FIRST = "model-00001-of-00002.safetensors"
KNOWABLE: dict[str, tuple[Change, str]] = {
    "remote code": (json_change("config.json", auto_map={"AutoConfig": "x.Y"}), "auto_map"),
    "code of a tokenizer": (json_change("tokenizer_config.json", auto_map={"a": "b"}), "auto_map"),
    "architecture": (json_change("config.json", model_type="gpt2"), "model type 'gpt2'"),
    "no architecture": (json_change("config.json", model_type=None), "model type None"),
    "rope": (
        json_change("config.json", rope_scaling={"rope_type": "spiral"}),
        "rope type 'spiral'",
    ),
    "activation": (json_change("config.json", hidden_act="gelu"), "silu"),
    "quantised by name": (json_change("config.json", quantization_config={"bits": 4}), "quantised"),
    "quantised by numbers": (tensors(dtype="I8"), "stored as I8"),
    "dtype": (json_change("config.json", dtype="int8"), "dtype 'int8'"),
    "no layers": (json_change("config.json", num_hidden_layers=0), "num_hidden_layers is 0"),
    "endless layers": (json_change("config.json", num_hidden_layers=10**9), "from 1 to 1000"),
    "heads": (
        json_change("config.json", num_key_value_heads=3),
        "not a multiple of 3 key-value heads",
    ),
    "no positions": (
        json_change("config.json", max_position_embeddings=-1),
        "max_position_embeddings",
    ),
    "vocabulary": (json_change("config.json", vocab_size=2), "beyond it"),
    "eos": (json_change("config.json", eos_token_id=99), "eos_token_id 99 is beyond"),
    "no eos": (json_change("config.json", eos_token_id=None), "no EOS token"),
    "no vocabulary": (json_change("tokenizer.json", model={}, added_tokens=[]), "no vocabulary"),
    "not a tokenizer": (lambda f: (f / "tokenizer.json").write_text("["), "tokenizer.json"),
    "calibration": (json_change("calibration.json", method="magic"), "invalid calibration"),
    "a weight missing": (tensors({"model.norm.weight": None}), "1 weights are missing"),
    "a weight too many": (tensors({"model.spy.weight": [1]}), "unexpected"),
    "another shape": (tensors({"model.norm.weight": [5]}), "expected [4]"),
    "an adapter": (lambda f: write_tensors(f / "adapter_model.safetensors", {"a": [1]}), "LoRA"),
    "an empty file": (lambda f: (f / "model.safetensors").write_bytes(b""), "header"),
    "an endless header": (
        lambda f: (f / "model.safetensors").write_bytes(struct.pack("<Q", 2**63) + b"{}"),
        "header",
    ),
    "a header that is not one": (raw([1]), "not an object"),
    "cut short": (
        lambda f: os.truncate(
            f / "model.safetensors", (f / "model.safetensors").stat().st_size - 4
        ),
        "truncated",
    ),
    "something behind": (
        lambda f: (f / "model.safetensors").write_bytes(
            (f / "model.safetensors").read_bytes() + b"x" * 9
        ),
        "unknown data",
    ),
    "tensors over each other": (
        raw({k: {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]} for k in "ab"}, b"\0" * 4),
        "begins at byte",
    ),
    "a wrong size": (
        raw({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 4]}}, b"\0" * 4),
        "does not match its shape",
    ),
    "a negative size": (
        raw({"a": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, b"\0" * 4),
        "no valid dtype, shape and data_offsets",
    ),
    "an unknown dtype": (
        raw({"a": {"dtype": "F4", "shape": [1], "data_offsets": [0, 4]}}, b"\0" * 4),
        "no valid dtype, shape and data_offsets",
    ),
    "an index that leads out": (index({"a": "../good/model.safetensors"}), "leads out"),
    "an index into a folder": (index({"a": "x/model.safetensors"}), "is not in the folder"),
    "a missing shard": (
        index({**dict.fromkeys(SHAPES, FIRST), "b": "model-00002-of-00002.safetensors"}),
        "model-00002-of-00002.safetensors, which is missing",
    ),
    "a weight that no shard has": (
        index({**dict.fromkeys(SHAPES, FIRST), "b": FIRST}),
        "no file has",
    ),
    "an index without weights": (index({}), "no weight_map"),
    "shards without an index": (
        lambda f: (f / "model.safetensors").rename(f / FIRST),
        "index is missing",
    ),
    "a pickle that calls": (pickled(b"cos\nsystem\n(S'touch x'\ntR."), "would call 'os.system'"),
    "a pickle by another way": (pickled(b"\x80\x04\x8c\x02os\x8c\x06system\x93."), "never does"),
    "a pickle of an instance": (pickled(b"(ios\nsystem\n."), "functions other than"),
    "no pickle": (pickled(b"", member="archive/other"), "exactly one data.pkl"),
    "half a pickle": (pickled(b"\x80\x02cos"), "pickle"),
    "not an archive": (
        lambda f: (f / "model.safetensors").rename(f / "pytorch_model.bin"),
        "not an archive",
    ),
}


@pytest.mark.parametrize(("change", "message"), KNOWABLE.values(), ids=KNOWABLE)
def test_detectable_problems_are_reported_at_install(
    world: Path, change: Change, message: str
) -> None:
    change(world / "hostile")
    before = state(world)
    with pytest.raises(ConfigurationError) as refused:
        install(world / "hostile", world / "models")
    assert message in str(refused.value)
    assert state(world) == before


def test_all_problems_are_reported_in_one_run(world: Path) -> None:
    for name in ("remote code", "architecture", "quantised by name", "eos", "a weight missing"):
        KNOWABLE[name][0](world / "hostile")
    with pytest.raises(ConfigurationError) as refused:
        install(world / "hostile", world / "models")
    for text in ("auto_map", "gpt2", "quantised", "eos_token_id 99"):
        assert text in str(refused.value)


@pytest.mark.parametrize(
    "change",
    [
        lambda f: (f / "notes.md").symlink_to(f.parent / "private.key"),
        lambda f: (f / "plots").symlink_to(f.parent),
        lambda f: (f / "card.md").unlink() or (f / "card.md").symlink_to(f.parent / "private.key"),
        lambda f: (f / FILE_NAME).symlink_to(f.parent / "good" / "config.json"),
        lambda f: os.mkfifo(f / "notes.md"),
    ],
    ids=["file", "folder", "listed file", "manifest", "pipe"],
)
@pytest.mark.parametrize("listed", [False, True], ids=["foreign", "with a manifest"])
def test_links_and_pipes_are_refused(world: Path, change: Change, listed: bool) -> None:
    if listed:
        write_manifest(world / "hostile", describe(world / "hostile", max_input_tokens=9))
        (world / "hostile" / FILE_NAME).rename(world / "kept")
    change(world / "hostile")
    if listed and not os.path.lexists(world / "hostile" / FILE_NAME):
        (world / "kept").rename(world / "hostile" / FILE_NAME)
    before = state(world)
    with pytest.raises(ConfigurationError, match=r"link|neither a file|cannot be read"):
        install(world / "hostile", world / "models")
    assert state(world) == before


def test_a_copy_is_no_more_readable_than_its_original(world: Path) -> None:
    (world / "hostile" / "card.md").unlink()
    (world / "hostile" / "card.md").hardlink_to(world / "private.key")
    release = install(world / "hostile", world / "models")
    copy = world / "models" / release.name / CHECKPOINT / "card.md"
    assert copy.stat().st_mode & 0o777 == 0o600


def test_files_outside_the_judge_are_named_and_not_copied(
    world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = world / "hostile"
    (folder / "modeling_hostile.py").write_text("import os")
    (folder / "optimizer.pt").write_bytes(b"x")
    (folder / ".netrc").write_text("x")
    release = install(folder, world / "models")
    names = {p.name for p in (world / "models" / release.name / CHECKPOINT).iterdir()}
    assert names == {"config.json", "tokenizer.json", "model.safetensors", "card.md", FILE_NAME}
    assert "'modeling_hostile.py', 'optimizer.pt'" in caplog.text


def test_the_same_weights_cannot_become_another_judge_under_the_same_name(world: Path) -> None:
    install(world / "hostile", world / "models")
    before = state(world)
    for forged in ({"template_id": "judgelm-halves-v1"}, {"max_input_tokens": 5}):
        forge(world / "hostile", **forged)
        with pytest.raises(ConfigurationError, match="Remove that release first"):
            install(world / "hostile", world / "models")
        assert state(world) == before


def test_a_window_smaller_than_the_positions_limits_prompts_and_is_reported(
    world: Path, caplog: pytest.LogCaptureFixture
) -> None:
    json_change("config.json", model_type="mistral", sliding_window=512)(world / "hostile")
    assert install(world / "hostile", world / "models").max_input_tokens == 512 - 16
    assert "sliding window of 512 tokens, not by its 2048 positions" in caplog.text
    forge(world / "hostile", max_input_tokens=512)
    with pytest.raises(ConfigurationError, match="context of 512"):
        install(world / "hostile", world / "other")
    assert not (world / "other").exists()


def test_changes_by_hand_to_a_release_are_reported(world: Path) -> None:
    repository = world / "models"
    release = install(world / "hostile", repository)
    folder = repository / release.name

    def reported() -> list[str]:
        return changes(repository, find(repository, release.name))

    assert reported() == []
    config = (folder / "config.pbtxt").read_text()
    (folder / "config.pbtxt").write_text(config.replace("max_batch_size: 64", "max_batch_size: 8"))
    assert reported() == [], "how Triton runs it is the operator's business"
    (folder / "config.pbtxt").write_text(config.replace(release.checkpoint_digest, "0" * 64))
    (folder / "1" / "model.py").write_text("import os")
    os.truncate(folder / CHECKPOINT / "card.md", 1)
    text = "; ".join(reported())
    assert "model.py" in text and "card.md has changed" in text
    original = (world / "hostile" / "card.md").read_bytes()
    (folder / CHECKPOINT / "card.md").write_bytes(original)
    assert "config.pbtxt does not name the checkpoint's checkpoint_digest" in reported()


@pytest.mark.parametrize(
    "value",
    ['"', "\\", "\n", '" } } parameters { key: "a', "\\n", "'", "\t\x7f\x01", "\u00e9\u4f60", "$x"],
)
def test_a_value_in_config_pbtxt_stays_one_value(value: str) -> None:
    from google.protobuf import text_format
    from tritonclient.grpc import model_config_pb2

    text = f'parameters {{ key: "k" value: {{ string_value: "{pbtxt_quoted(value)}" }} }}'
    parsed = text_format.Parse(text, model_config_pb2.ModelConfig())
    assert {k: v.string_value for k, v in parsed.parameters.items()} == {"k": value}
