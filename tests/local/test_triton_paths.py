"""Triton's Python backend puts a model's path into a shell command, so unusual paths are refused."""

from pathlib import Path

import pytest

from judgestream.local.errors import DataUnusable
from judgestream.local.triton import TritonServer, require_plain_path

ODD = [
    " ",
    "$(touch x)",
    "`id`",
    ";",
    "'",
    '"',
    "\n",
    "\\",
    "&",
    "|",
    "*",
    "?",
    "<",
    "~",
    "#",
    "!",
    ":",
    "\u00e9",
    "\u4f60",
]


@pytest.mark.parametrize("sign", ODD)
@pytest.mark.parametrize("which", ["repository", "folder"])
def test_a_path_that_a_shell_would_read_is_refused_by_name(
    tmp_path: Path, sign: str, which: str
) -> None:
    odd, plain = tmp_path / f"a{sign.replace('/', '')}b", tmp_path / "plain"
    repository, folder = (odd, plain) if which == "repository" else (plain, odd)
    repository.mkdir()
    server = TritonServer(run_dir=folder, model_repository=repository, models=[])
    with pytest.raises(DataUnusable, match="Choose a data folder"):
        server.start()
    assert server.process is None and not (tmp_path / "x").exists()


@pytest.mark.parametrize("path", ["/home/a.b/x-y_z+1", "/a@b=c%d,f"])
def test_plain_paths_pass(path: str) -> None:
    require_plain_path(Path(path), "It")


@pytest.mark.parametrize("model", ["$(id)", "a b", "../x", ""])
def test_a_model_name_that_a_shell_would_read_is_refused(tmp_path: Path, model: str) -> None:
    server = TritonServer(run_dir=tmp_path / "run", model_repository=tmp_path, models=[model])
    with pytest.raises(DataUnusable, match="invalid model name"):
        server.start()
