"""Parquet and Arrow files through pyarrow, batch by batch."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from json import loads
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgestream.adapters.files.json_records import Records
from judgestream.adapters.files.opening import Bytes
from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.fields import Place

if TYPE_CHECKING:
    import pyarrow

PARQUET, ARROW_FILE, ARROW_STREAM = b"PAR1", b"ARROW1", b"\xff\xff\xff\xff"
BATCH = 256
"""Rows in memory at a time."""


def is_columnar(head: bytes) -> bool:
    return head.startswith((PARQUET, ARROW_FILE, ARROW_STREAM))


def read_columnar(name: str, path: Path | None, file: Bytes) -> Records:
    """The rows. `path` is None where the bytes are compressed or come from standard input: both formats
    are read from their end, so those are written to a temporary file first.

    A class label of the `datasets` library, a number in the file, is given by its name.

    Raises:
        ConfigurationError: pyarrow is missing, or the file is damaged.
    """
    try:
        import pyarrow  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise ConfigurationError(
            f"{name} is a Parquet or Arrow file, and pyarrow is not installed:"
            " pip install 'judgestream[parquet]'"
        ) from exc
    head = file.peek(8)[:8]
    try:
        with ExitStack() as stack:
            if path is None:
                copy = stack.enter_context(tempfile.NamedTemporaryFile())
                shutil.copyfileobj(file, copy)
                copy.flush()
                path = Path(copy.name)
            number = 0
            for batch in _batches(head, path, stack):
                names = class_names(batch.schema)
                for row in batch.to_pylist():
                    number += 1
                    yield Place(file=name, number=number, unit="record"), _plain_row(row, names)
    except pyarrow.ArrowException as exc:
        raise ConfigurationError(f"{name} cannot be read: {exc}") from exc


def _batches(head: bytes, path: Path, stack: ExitStack) -> Iterator["pyarrow.RecordBatch"]:
    import pyarrow  # noqa: PLC0415 - an extra
    import pyarrow.parquet  # noqa: PLC0415

    if head.startswith(PARQUET):
        table = stack.enter_context(pyarrow.parquet.ParquetFile(path))
        yield from table.iter_batches(batch_size=BATCH)
        return
    source = stack.enter_context(pyarrow.OSFile(str(path)))
    if head.startswith(ARROW_FILE):
        reader = stack.enter_context(pyarrow.ipc.open_file(source))
        batches = (reader.get_batch(k) for k in range(reader.num_record_batches))
    else:
        batches = iter(stack.enter_context(pyarrow.ipc.open_stream(source)))
    for batch in batches:
        for start in range(0, batch.num_rows, BATCH):
            yield batch.slice(start, BATCH)


def class_names(schema: "pyarrow.Schema") -> Mapping[str, list[str]]:
    """By column, the names of class labels, as the `datasets` library keeps them beside the schema."""
    try:
        features = loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        return {
            column: [str(one) for one in feature["names"]]
            for column, feature in features.items()
            if isinstance(feature, dict) and feature.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _plain_row(row: Mapping[str, Any], names: Mapping[str, list[str]]) -> Mapping[str, object]:
    found = {column: _plain(value) for column, value in row.items()}
    for column, labels in names.items():
        value = found.get(column)
        if isinstance(value, int) and 0 <= value < len(labels):
            found[column] = labels[value]
    return found


def _plain(value: object) -> object:
    """The value as JSON has it: times as ISO texts, decimals as numbers, bytes as text where they are."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_plain(one) for one in value]
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case bytes():
            return value.decode(errors="backslashreplace")
        case _:
            return str(value)
