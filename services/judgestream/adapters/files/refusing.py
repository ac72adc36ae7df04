"""File types that are not supported, by their first bytes, and how to convert each."""

from collections.abc import Mapping
from types import MappingProxyType

_PICKLE = "write its rows as JSON lines; pickles are never loaded"
_PAGE = "download the file itself, not the page about it"
KNOWN: Mapping[bytes, tuple[str, str]] = MappingProxyType(
    {
        b"PK\x03\x04": (
            "a ZIP archive or an Excel workbook",
            "unpack it, or save the sheet as CSV (UTF-8)",
        ),
        b"\xd0\xcf\x11\xe0": ("an old Excel or Word file", "save the sheet as CSV (UTF-8)"),
        b"%PDF": ("a PDF", "export the data as JSON lines or CSV"),
        b"SQLite format 3\x00": (
            "an SQLite database",
            "sqlite3 -json FILE 'select * from TABLE' > rows.json",
        ),
        b"\x93NUMPY": ("a NumPy array", "write its rows as JSON lines"),
        b"\x89HDF\r\n": ("an HDF5 file", "pandas.read_hdf(FILE).to_json(OUT, orient='records')"),
        b"Obj\x01": ("an Avro file", "write its rows as JSON lines, or as Parquet"),
        b"ORC": ("an ORC file", "pyarrow.orc.read_table(FILE), then write it as Parquet"),
        b"FEA1": ("a Feather V1 file", "write it again as Feather V2, Arrow or Parquet"),
        b"\x80\x02": (
            "a pickle",
            _PICKLE,
        ),
        b"\x80\x03": ("a pickle", _PICKLE),
        b"\x80\x04": ("a pickle", _PICKLE),
        b"\x80\x05": ("a pickle", _PICKLE),
        b"\x7fELF": ("a program", "name the file that holds the rows"),
        b"\x89PNG": ("an image", "only text can be judged"),
        b"\xff\xd8\xff": ("an image", "only text can be judged"),
        b"Rar!": ("a RAR archive", "unpack it"),
        b"7z\xbc\xaf": ("a 7-Zip archive", "unpack it"),
        b"version https://git-lfs": (
            "a Git LFS pointer, not the file itself",
            "run `git lfs pull`",
        ),
        b"<!DOCTYPE": ("a web page", _PAGE),
        b"<!doctype": ("a web page", _PAGE),
        b"<html": ("a web page", _PAGE),
        b"<?xml": ("XML", "write its rows as JSON lines or CSV"),
    }
)
TAR_MAGIC, TAR_OFFSET = b"ustar", 257


def foreign(head: bytes) -> str | None:
    """The type of an unsupported file and how to convert it; else None. `head`: the first 512 bytes or
    all."""
    bare = head.lstrip()
    for magic, (what, how) in KNOWN.items():
        if head.startswith(magic) or (magic[:1] == b"<" and bare.startswith(magic)):
            return f"is {what}: {how}"
    if head[TAR_OFFSET : TAR_OFFSET + len(TAR_MAGIC)] == TAR_MAGIC:
        return "is a tar archive: unpack it, and give the folder"
    return None
