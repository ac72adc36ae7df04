"""Names of a checkpoint's files stay inside its folder, and only plain files are opened."""

import os
import socket
from pathlib import Path

import pytest

from judgestream.checkpoints.files import (
    MAX_DEPTH,
    name_problem,
    name_problems,
    opened,
    read_json,
    walk,
)

GOOD = [
    "config.json",
    "model-00001-of-00002.safetensors",
    "plots/calibration curve.png",
    "notes/\u00fcber.md",
    "README",
    "a..b.txt",
    "-rf",
]
BAD: list[object] = [
    "", ".", "..", "../x", "a/../b", "a/..", "./a", "a//b", "a/", "/etc/passwd", "//x", "~/../x/..",
    "..\\x", "a\\b", "C:\\x", "c:x", "a:b", "\\\\host\\x", ".hidden", "a/.git/config", "a\0b", "a\nb",
    "a\x1b[2J", "a\u202eb", "a\u200bb", "e\u0301.md", "\ud800", " a", "a ", "a.", "a /b", "model.py",
    "plots/x.PY", "x.so", "x.pth", "x.pbtxt", "config.pbtxt", "manifest.json", "MANIFEST.json",
    "model.json", "x" * 256, "d/" * MAX_DEPTH + "x", "a/" * 300, None, 7, ["a"], True,
]  # fmt: skip


@pytest.mark.parametrize("name", GOOD)
def test_a_plain_relative_name_is_valid(name: str) -> None:
    assert name_problem(name) == ""


@pytest.mark.parametrize("name", BAD, ids=ascii)
def test_every_other_name_is_invalid(name: object) -> None:
    assert name_problem(name)
    (told,) = name_problems([name])
    assert told.isascii() and told.isprintable() and len(told) < 160


@pytest.mark.parametrize(
    ("names", "told"),
    [
        (["a.md", "A.md"], "differ in letter case"),
        (["stra\u00dfe.md", "STRASSE.md"], "differ in letter case"),
        (["x/a", "X/A"], "differ in letter case"),
        (["a", "a/b"], "also a folder"),
        (["A/b", "a"], "also a folder"),
        ([f"n{k}" for k in range(5000)], "more than 4096 files"),
    ],
)
def test_names_that_a_file_system_could_confuse_are_reported(names: list[str], told: str) -> None:
    assert told in name_problems(names)[0]


def test_links_and_special_files_are_reported_and_not_followed(tmp_path: Path) -> None:
    folder, private = tmp_path / "c", tmp_path / "private"
    (folder / "real").mkdir(parents=True)
    private.mkdir()
    (private / "key").write_text("hunter2")
    (folder / "config.json").write_text("{}")
    (folder / "real" / "a.md").write_text("a")
    (folder / "link.md").symlink_to(private / "key")
    (folder / "folder").symlink_to(private)
    (folder / "dangling").symlink_to("nowhere")
    (folder / "round").symlink_to(folder)
    os.mkfifo(folder / "pipe.md")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / "socket"))
    names, problems = walk(folder)
    assert names == ["config.json", "real/a.md"]
    assert sorted(text.split("'")[1] for text in problems) == [
        *("dangling", "folder", "link.md", "pipe.md", "round", "socket")
    ]
    for name in ("link.md", "folder/key", "pipe.md", "round/config.json", "socket", "real"):
        with pytest.raises(OSError, match=r".+"), opened(folder, name):
            pass
    with opened(folder, "real/a.md") as file:
        assert file.read() == b"a"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('{"a": 1, "a": 2}', "twice"),
        ('{"x": {"b": 1, "b": 1}}', "twice"),
        ('{"a": NaN}', "NaN"),
        ('{"a": -Infinity}', "Infinity"),
        ("[1]", "not an object"),
        ("{", "Expecting"),
        ("", "Expecting"),
        ("\ufeff{}", "BOM"),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, "too deeply"),
        ('{"a": ' + "9" * 5000 + "}", "digits"),
        ('{"a": "' + "x" * 2000 + '"}', "larger than 1000"),
    ],
    ids=lambda value: value[:12],
)
def test_json_is_read_strictly(tmp_path: Path, text: str, told: str) -> None:
    (tmp_path / "a.json").write_text(text)
    most = 1000 if told.startswith("larger") else 10_000_000
    with pytest.raises(ValueError, match=told):
        read_json(tmp_path, "a.json", max_bytes=most)


def test_json_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(b'{"a": "\xff"}')
    with pytest.raises(ValueError, match="utf-8"):
        read_json(tmp_path, "a.json")
