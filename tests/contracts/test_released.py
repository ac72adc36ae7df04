"""The compatibility of the protos with the last release."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from tests.contracts.released import breaking, commit, current, lines, read


def test_the_protos_are_compatible_with_the_last_release() -> None:
    released = read()
    assert len(released) > 200
    assert breaking(released, current()) == []


def test_the_release_is_named_by_its_commit() -> None:
    assert re.fullmatch("[0-9a-f]{40}", commit())


def message(files: list[FileDescriptorProto], name: str) -> DescriptorProto:
    (found,) = [one for file in files for one in file.message_type if one.name == name]
    return found


def field(files: list[FileDescriptorProto], owner: str, name: str) -> FieldDescriptorProto:
    (found,) = [one for one in message(files, owner).field if one.name == name]
    return found


def renumber(files: list[FileDescriptorProto]) -> None:
    field(files, "Verdict", "winner").number = 999


def retype(files: list[FileDescriptorProto]) -> None:
    field(files, "Verdict", "latency_s").type = FieldDescriptorProto.TYPE_FLOAT


def lose_presence(files: list[FileDescriptorProto]) -> None:
    field(files, "Verdict", "p_win").proto3_optional = False


def rename(files: list[FileDescriptorProto]) -> None:
    field(files, "Verdict", "winner").name = "best"


def remove(files: list[FileDescriptorProto]) -> None:
    message(files, "Verdict").field.remove(field(files, "Verdict", "winner"))


def reuse(files: list[FileDescriptorProto]) -> None:
    remove(files)
    message(files, "Verdict").field.add(name="other", number=8)


def remove_value(files: list[FileDescriptorProto]) -> None:
    (status,) = message(files, "Verdict").enum_type
    del status.value[2]


def change_call(files: list[FileDescriptorProto]) -> None:
    (method,) = [m for file in files for s in file.service for m in s.method if m.name == "Move"]
    method.output_type = ".judgestream.v1.Placed"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (renumber, "Verdict.winner was '8 single string', is '999 single string'"),
        (retype, "Verdict.latency_s was '23 single double', is '23 single float'"),
        (lose_presence, "Verdict.p_win was '11 optional double'"),
        (
            rename,
            "Verdict.best has number 8, which was that of field judgestream.v1.Verdict.winner",
        ),
        (remove, "Verdict.winner is gone: reserve its number 8 and its name"),
        (reuse, "Verdict.other has number 8"),
        (remove_value, "STATUS_UNSCORED is gone: reserve its number 2"),
        (change_call, "Rollouts.Move was"),
    ],
)
def test_a_breaking_change_is_named(change: Callable[[Any], None], told: str) -> None:
    files = current()
    released = lines(files)
    change(files)
    (problem,) = breaking(released, files)
    assert told in problem


def test_a_field_may_go_when_its_number_and_name_are_reserved() -> None:
    files = current()
    released = lines(files)
    remove(files)
    message(files, "Verdict").reserved_range.add(start=8, end=9)
    assert "is gone" in breaking(released, files)[0]
    message(files, "Verdict").reserved_name.append("winner")
    assert breaking(released, files) == []


def test_a_new_field_is_no_breaking_change() -> None:
    files = current()
    released = lines(files)
    message(files, "Verdict").field.add(name="added", number=500)
    assert breaking(released, files) == []
