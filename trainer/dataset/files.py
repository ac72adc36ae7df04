"""The data set's files: one per side of the split, and the manifest, written last."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from trainer.dataset.split import side_of

FORMAT = "judgestream-dataset/1"
MANIFEST = "dataset.json"


def write_dataset(
    out: Path,
    rows: Sequence[Mapping[str, Any]],
    shares: Mapping[str, float],
    manifest: Mapping[str, Any],
) -> dict[str, int]:
    """Write `<side>.jsonl` for every side, then `dataset.json`. Returns the rows on each side.

    The manifest of an earlier build goes first, so a folder that has one is whole. No time is written: the
    same inputs and answers give the same bytes.
    """
    (out / MANIFEST).unlink(missing_ok=True)
    sides: dict[str, list[Mapping[str, Any]]] = {side: [] for side in shares}
    for row in rows:
        sides[side_of(str(row["question_body"]), shares)].append(row)
    outputs = []
    for side, own in sides.items():
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in own)
        _write(out / f"{side}.jsonl", text)
        outputs.append({**described(out / f"{side}.jsonl"), "records": len(own)})
    whole = {"format": FORMAT, **manifest, "outputs": outputs}
    _write(out / MANIFEST, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    return {side: len(own) for side, own in sides.items()}


def described(path: Path) -> dict[str, Any]:
    """A file's name (not where it lies) and its SHA-256."""
    with path.open("rb") as file:
        return {"name": path.name, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def _write(path: Path, text: str) -> None:
    """All of it or nothing."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
