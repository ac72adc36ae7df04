"""The header of a safetensors file: names, dtypes and shapes of its tensors, without loading them.

The format is: eight bytes with the length of the header, the header (JSON: name -> dtype, shape,
data_offsets), the data. A file is valid if its tensors fill the data exactly, without gaps and overlaps
(https://github.com/huggingface/safetensors#format).
"""

import os
import struct
from dataclasses import dataclass
from math import prod
from pathlib import Path

from judgestream.checkpoints.files import opened, strict_json

MAX_HEADER = 100_000_000
"""The format's own limit, in bytes."""

BYTES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1, "C64": 8,
}  # fmt: skip

FLOATS = frozenset(("F32", "F16", "BF16", "F64"))
"""Dtypes of plain weights. Integers and 8-bit floats are those of a quantised checkpoint."""

_MAX_DIMENSIONS = 8
_MAX_SIZE = 1 << 40


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """One tensor: its dtype by the format's name, and its shape."""

    dtype: str
    shape: tuple[int, ...]


def read_header(folder: Path, name: str) -> dict[str, Stored]:
    """Every tensor of the file by its name.

    Raises:
        ValueError: invalid safetensors file; the message says where.
        OSError: it cannot be opened.
    """
    with opened(folder, name) as file:
        size = os.fstat(file.fileno()).st_size
        start = file.read(8)
        length = struct.unpack("<Q", start)[0] if len(start) == 8 else 0
        if not 2 <= length <= MAX_HEADER or 8 + length > size:
            raise ValueError(f"its header has {length} bytes, the file only {size}")
        header = strict_json(file.read(length))
    header.pop("__metadata__", None)
    stored: dict[str, Stored] = {}
    spans: list[tuple[int, int, str]] = []
    for tensor, value in header.items():
        stored[tensor], span = _tensor(tensor, value)
        spans.append((*span, tensor))
    position = 0
    for begin, end, tensor in sorted(spans):
        if begin != position:
            raise ValueError(
                f"tensor {tensor[:80]!r} begins at byte {begin}, the previous one ends at {position}"
            )
        position = end
    left = size - 8 - length - position
    if left:
        what = "it is truncated" if left < 0 else "unknown data follows them"
        raise ValueError(
            f"its tensors have {position} bytes, the file has {position + left}: {what}"
        )
    return stored


def _tensor(name: str, value: object) -> tuple[Stored, tuple[int, int]]:
    fields = value if isinstance(value, dict) else {}
    dtype = str(fields.get("dtype"))
    shape, span = _numbers(fields.get("shape")), _numbers(fields.get("data_offsets"))
    if dtype not in BYTES or shape is None or span is None or len(span) != 2:
        raise ValueError(f"tensor {name[:80]!r} has no valid dtype, shape and data_offsets")
    begin, end = span
    if end - begin != prod(shape) * BYTES[dtype]:
        raise ValueError(
            f"tensor {name[:80]!r} has {end - begin} bytes, which does not match its shape"
        )
    return Stored(dtype=dtype, shape=shape), (begin, end)


def _numbers(value: object) -> tuple[int, ...] | None:
    if not isinstance(value, list) or len(value) > _MAX_DIMENSIONS:
        return None
    whole = tuple(n for n in value if isinstance(n, int) and not isinstance(n, bool))
    return whole if len(whole) == len(value) and all(0 <= n <= _MAX_SIZE for n in whole) else None
