"""`--map`: a record of any fields as one of a known format."""

from collections.abc import Mapping, Sequence

from judgestream.core.errors import ConfigurationError
from judgestream.core.formats.fields import listed
from judgestream.core.formats.pairs import TARGETS

METADATA = "metadata."


def parsed(entries: Sequence[str]) -> Mapping[str, str]:
    """`["question=prompt", "answer_a=response1"]` as targets with their columns.

    Raises:
        ConfigurationError: an entry has no "=", names no target, or a target comes twice.
    """
    found: dict[str, str] = {}
    for entry in entries:
        target, sign, column = entry.partition("=")
        target, column = target.strip(), column.strip()
        if not sign or not target or not column:
            raise ConfigurationError(f"--map {entry}: write FIELD=COLUMN, as in question=prompt")
        if target not in TARGETS and not target.startswith(METADATA):
            known = ", ".join((*TARGETS, f"{METADATA}NAME"))
            raise ConfigurationError(f"--map {entry}: unknown field {target!r}: use one of {known}")
        if target in found:
            raise ConfigurationError(f"--map {entry}: {target} is mapped twice")
        found[target] = column
    return found


def mapped(values: Mapping[str, object], mapping: Mapping[str, str]) -> Mapping[str, object]:
    """The record that has the mapped fields, and no others. A column that is not there leaves its field out.

    A column is a field's name, or a path into it: `messages.0.content`, `reply.text`.
    """
    record: dict[str, object] = {}
    metadata: dict[str, object] = {}
    for target, column in mapping.items():
        found, value = _lookup(values, column)
        if not found:
            continue
        if target.startswith(METADATA):
            metadata[target.removeprefix(METADATA)] = value
        else:
            record[target] = value
    if metadata:
        record["metadata"] = metadata
    return record


def _lookup(values: object, column: str) -> tuple[bool, object]:
    """Whether the column is there, and its value."""
    if isinstance(values, Mapping) and column in values:
        return True, values[column]
    name, _, rest = column.partition(".")
    if not rest:
        inside = listed(values)
        if isinstance(inside, list) and _is_index(name) and int(name) < len(inside):
            return True, inside[int(name)]
        return False, None
    found, inner = _lookup(values, name)
    return _lookup(inner, rest) if found else (False, None)


def _is_index(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 10
