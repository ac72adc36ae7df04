"""Folders: those that the `datasets` library writes, and those that hold data files."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from judgestream.adapters.files.opening import STDIN
from judgestream.core.errors import ConfigurationError

DATA = frozenset((".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".tab", ".parquet", ".arrow"))
PACKED = frozenset((".gz", ".bz2", ".xz", ".zst", ".lz4"))
DESCRIPTIONS = frozenset(
    ("dataset_info.json", "dataset_infos.json", "dataset_dict.json", "state.json")
)
"""Metadata files of the `datasets` library. No script in a folder is ever run."""


def expanded(paths: Sequence[Path]) -> list[Path]:
    """The files of these paths; a folder gives its data files, sorted by name.

    A folder written by `save_to_disk`, with its splits, is one of Arrow files.

    Raises:
        ConfigurationError: a folder holds no data file.
    """
    files: list[Path] = []
    for path in paths:
        if path == STDIN or not path.is_dir():
            files.append(path)
            continue
        found = sorted(_data_files(path))
        if not found:
            raise ConfigurationError(
                f"{path} holds no data file ({', '.join(sorted(DATA))}, packed or not)"
            )
        files.extend(found)
    return files


def _data_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        inside = path.relative_to(folder)
        hidden = any(part.startswith((".", "_")) for part in inside.parts)
        cached = path.name.startswith("cache-") and path.suffix == ".arrow"
        if hidden or cached or path.name in DESCRIPTIONS or not path.is_file():
            continue
        suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
        if suffixes and suffixes[-1] in PACKED:
            suffixes.pop()
        if suffixes and suffixes[-1] in DATA:
            yield path
