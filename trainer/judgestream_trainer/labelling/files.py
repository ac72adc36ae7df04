"""The files of a data set: one per side of the split, and the manifest, written last."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judgestream_trainer.data.split import Shares, Side, side
from judgestream_trainer.files import file_sha256, write_whole

FORMAT = "judgestream-dataset/1"
MANIFEST = "dataset.json"


def write_dataset(
    out: Path,
    rows: Sequence[Mapping[str, Any]],
    shares: Shares,
    manifest: Mapping[str, Any],
) -> dict[str, int]:
    """Write `<side>.jsonl` for every side, then `dataset.json`. Returns the rows on each side.

    The manifest of an earlier build is removed first, so a directory with a manifest is complete. No time is
    written: the same inputs and replies give the same bytes.
    """
    (out / MANIFEST).unlink(missing_ok=True)
    sides: dict[Side, list[Mapping[str, Any]]] = {name: [] for name in Side}
    for row in rows:
        sides[side(str(row["question_body"]), shares)].append(row)
    outputs = []
    for name, own in sides.items():
        path = out / f"{name}.jsonl"
        write_whole(path, "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in own))
        outputs.append({**described(path), "records": len(own)})
    whole = {"format": FORMAT, **manifest, "outputs": outputs}
    write_whole(out / MANIFEST, json.dumps(whole, indent=2, ensure_ascii=False) + "\n")
    return {str(name): len(own) for name, own in sides.items()}


def described(path: Path) -> dict[str, Any]:
    """A file's name, without its directory, and its SHA-256."""
    return {"name": path.name, "sha256": file_sha256(path)}
