"""Reference pages that mkdocs generates while it builds: the commands and the records.

Both come from the code alone, so they cannot go stale: the commands from the typer application, the
records from the comments in `protos/`.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    FileDescriptorSet,
)

ROOT = Path(__file__).resolve().parents[1]
PROTOS = sorted((ROOT / "protos").rglob("*.proto"))

# Field numbers in descriptor.proto, which spell the paths of source comments.
MESSAGES, ENUMS = 4, 5
FIELDS, NESTED, NESTED_ENUMS, VALUES = 2, 3, 4, 2


def on_files(files: Any, config: Any) -> Any:
    """mkdocs hook: add the generated pages."""
    from mkdocs.structure.files import File

    for name, text in (("commands", commands()), ("records", records())):
        files.append(File.generated(config, f"reference/{name}.md", content=text))
    return files


def commands() -> str:
    """The command line as Markdown, written by typer."""
    argv = [sys.executable, "-m", "typer", "judgestream.apps.cli", "utils", "docs"]
    done = subprocess.run(  # noqa: S603 - a fixed list
        [*argv, "--name", "judgestream", "--title", "Commands"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def records() -> str:
    """Every message of `protos/` with its fields, numbers and comments."""
    parts = ["# Records and topics", ""]
    parts += ["Generated from `protos/judgestream/v1`. Field numbers are never reused.", ""]
    for file in _described().file:
        if any(str(path).endswith(file.name) for path in PROTOS):
            parts += _file(file)
    return "\n".join(parts)


def _described() -> FileDescriptorSet:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "protos.bin"
        argv = [sys.executable, "-m", "grpc_tools.protoc", f"-I{ROOT / 'protos'}"]
        argv += [f"-I{files('grpc_tools') / '_proto'}", "--include_source_info"]
        argv += [f"--descriptor_set_out={out}", *map(str, PROTOS)]
        subprocess.run(argv, check=True, timeout=60)  # noqa: S603 - a fixed list
        return FileDescriptorSet.FromString(out.read_bytes())


def _file(file: FileDescriptorProto) -> Iterator[str]:
    comments = {
        tuple(place.path): " ".join((place.leading_comments + place.trailing_comments).split())
        for place in file.source_code_info.location
    }
    yield f"## {file.name.rpartition('/')[2]}"
    yield ""
    for k, message in enumerate(file.message_type):
        yield from _message(message, (MESSAGES, k), comments)
    for k, enum in enumerate(file.enum_type):
        yield from _enum(enum, (ENUMS, k), comments)


def _message(
    message: DescriptorProto, path: tuple[int, ...], comments: dict[tuple[int, ...], str]
) -> Iterator[str]:
    rows = [
        (str(field.number), f"`{field.name}`", _type(field), comments.get((*path, FIELDS, k), ""))
        for k, field in enumerate(message.field)
    ]
    yield from _table(message.name, comments.get(path, ""), ("", "field", "type", "about"), rows)
    for k, nested in enumerate(message.nested_type):
        if not nested.options.map_entry:
            yield from _message(nested, (*path, NESTED, k), comments)
    for k, enum in enumerate(message.enum_type):
        yield from _enum(enum, (*path, NESTED_ENUMS, k), comments)


def _enum(
    enum: EnumDescriptorProto, path: tuple[int, ...], comments: dict[tuple[int, ...], str]
) -> Iterator[str]:
    rows = [
        (str(value.number), f"`{value.name}`", comments.get((*path, VALUES, k), ""))
        for k, value in enumerate(enum.value)
    ]
    yield from _table(enum.name, comments.get(path, ""), ("", "value", "about"), rows)


def _type(field: FieldDescriptorProto) -> str:
    name = field.type_name.rpartition(".")[2]
    if not name:
        name = FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    repeated = field.label == FieldDescriptorProto.LABEL_REPEATED
    return f"repeated {name}" if repeated else name


def _table(
    title: str, about: str, heads: Sequence[str], rows: Sequence[Sequence[str]]
) -> Iterator[str]:
    yield f"### {title}"
    yield ""
    if about:
        yield about
        yield ""
    if rows:
        yield f"| {' | '.join(heads)} |"
        yield f"|{'---|' * len(heads)}"
        yield from (f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
        yield ""
