"""The messages, enums and calls that records and replies on the wire are made of, one per line.

    python -m tests.contracts.released --write      on main, after a release: what later versions must keep

`protos/released.txt` holds the lines of the last release, and its commit in front. Readers and writers of two
versions work side by side while an upgrade rolls out, and topics hold records for months. The test of rolling
upgrades runs the code of that commit, so it must stay in the history of main.
"""

import subprocess
import sys
from collections.abc import Iterable, Iterator
from typing import Any

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from judgestream.v1 import bias_pb2, judging_pb2, rollout_pb2, training_pb2
from tests.paths import ROOT

RELEASED = ROOT / "protos/released.txt"
FILES = (bias_pb2, judging_pb2, rollout_pb2, training_pb2)

COMMIT = "# of commit "

Lines = dict[str, str]
"""What is named -> its number, type and kind."""


def current() -> list[FileDescriptorProto]:
    found = []
    for module in FILES:
        file = FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        found.append(file)
    return found


def lines(files: Iterable[FileDescriptorProto]) -> Lines:
    """Every field, enum value and call."""
    found: Lines = {}
    for file in files:
        for message in file.message_type:
            found |= _of_message(file.package, message)
        for enum in file.enum_type:
            found |= _of_enum(file.package, enum)
        for service in file.service:
            for method in service.method:
                stream = "stream " * method.server_streaming
                name = f"call {file.package}.{service.name}.{method.name}"
                found[name] = f"{method.input_type} {stream}{method.output_type}"
    return found


def breaking(released: Lines, files: Iterable[FileDescriptorProto]) -> list[str]:
    """What a reader or writer of the release would misread, with how to fix it."""
    kept = list(files)
    now, reserved = lines(kept), dict(_reserved(kept))
    numbers = {_numbered(name, what): name for name, what in now.items()}
    problems = []
    for name, what in released.items():
        if name in now:
            if now[name] != what:
                problems.append(
                    f"{name} was {what!r}, is {now[name]!r}: add a field of another name and number"
                )
            continue
        owner, _, short = name.rpartition(".")
        number = what.split()[0]
        if taken := numbers.get(_numbered(name, what)):
            problems.append(
                f"{taken} has number {number}, which was that of {name}: give it an unused number"
            )
        elif not {number, short} <= reserved.get(owner, set()):
            problems.append(f"{name} is gone: reserve its number {number} and its name in {owner}")
    return problems


def read() -> Lines:
    _, *kept = RELEASED.read_text("utf-8").splitlines()
    pairs = (line.partition(" = ") for line in kept)
    return {name: what for name, _, what in pairs}


def commit() -> str:
    """The commit of the last release: 40 hexadecimal digits."""
    return RELEASED.read_text("utf-8").partition("\n")[0].removeprefix(COMMIT)


def write() -> None:
    """Make the current commit the last release. Raises SystemExit if its protos are not those here."""
    if _git("status", "--porcelain", "--", "protos/judgestream", "services/judgestream/v1"):
        raise SystemExit("commit the protos and their generated code first")
    text = "".join(f"{name} = {what}\n" for name, what in sorted(lines(current()).items()))
    RELEASED.write_text(f"{COMMIT}{_git('rev-parse', 'HEAD')}\n{text}", encoding="utf-8")


def _git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True, timeout=30
    )
    return done.stdout.strip()


def _numbered(name: str, what: str) -> str:
    return f"{name.rpartition('.')[0]} {what.split()[0]}"


def _of_message(prefix: str, message: DescriptorProto) -> Lines:
    name = f"{prefix}.{message.name}"
    found: Lines = {}
    for field in message.field:
        found[f"field {name}.{field.name}"] = f"{field.number} {_kind(field)} {_type(field)}"
    for inner in message.nested_type:
        found |= _of_message(name, inner)
    for enum in message.enum_type:
        found |= _of_enum(name, enum)
    return found


def _of_enum(prefix: str, enum: Any) -> Lines:
    return {f"value {prefix}.{enum.name}.{value.name}": str(value.number) for value in enum.value}


def _kind(field: FieldDescriptorProto) -> str:
    if field.label == FieldDescriptorProto.LABEL_REPEATED:
        return "repeated"
    return "optional" if field.proto3_optional else "single"


def _type(field: FieldDescriptorProto) -> str:
    return (
        field.type_name or FieldDescriptorProto.Type.Name(field.type).removeprefix("TYPE_").lower()
    )


def _reserved(files: Iterable[FileDescriptorProto]) -> Iterator[tuple[str, set[str]]]:
    """Owner of fields or values -> the numbers and names that must not be used again."""
    for file in files:
        waiting: list[tuple[str, Any]] = [(file.package, one) for one in file.message_type]
        enums: list[tuple[str, Any]] = [(file.package, one) for one in file.enum_type]
        while waiting:
            prefix, message = waiting.pop()
            name = f"{prefix}.{message.name}"
            waiting += [(name, inner) for inner in message.nested_type]
            enums += [(name, enum) for enum in message.enum_type]
            spans = [n for span in message.reserved_range for n in range(span.start, span.end)]
            yield f"field {name}", {*map(str, spans), *message.reserved_name}
        for prefix, enum in enums:
            # the end of an enum's range belongs to it
            spans = [n for span in enum.reserved_range for n in range(span.start, span.end + 1)]
            yield f"value {prefix}.{enum.name}", {*map(str, spans), *enum.reserved_name}


def main(arguments: list[str]) -> int:
    if "--write" in arguments:
        write()
        return 0
    problems = breaking(read(), current())
    sys.stderr.writelines(f"{problem}\n" for problem in problems)
    return int(bool(problems))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
