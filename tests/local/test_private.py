"""Files that may contain a secret are for this user only, and a shell executes nothing in them."""

import os
import stat
import subprocess
from pathlib import Path

import pytest

from judgestream.local.errors import DataUnusable
from judgestream.local.private import kept_secret, private_folder, shell_variables, write_private


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_file_is_readable_by_its_owner_only_whatever_was_there(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text("old")
    path.chmod(0o666)
    old = os.umask(0)
    try:
        write_private(path, "new")
    finally:
        os.umask(old)
    assert (path.read_text(), mode(path)) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path], "no draft is left behind"


def test_a_link_at_the_path_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_text("keep")
    (tmp_path / "secret").symlink_to(precious)
    write_private(tmp_path / "secret", "new")
    assert precious.read_text() == "keep" and not (tmp_path / "secret").is_symlink()


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataUnusable, match=r"nowhere/secret cannot be written"):
        write_private(tmp_path / "nowhere" / "secret", "x")
    (tmp_path / "file").write_text("")
    with pytest.raises(DataUnusable, match="cannot be used as a folder"):
        private_folder(tmp_path / "file")
    with pytest.raises(DataUnusable, match="cannot be used as a folder"):
        private_folder(Path("/proc/judgestream"))


def test_a_private_folder_is_closed_to_others_even_if_it_was_open(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    assert mode(private_folder(folder)) == 0o700
    assert mode(private_folder(tmp_path / "new" / "data")) == 0o700


def test_a_kept_secret_stays_the_same_and_differs_between_folders(tmp_path: Path) -> None:
    first = kept_secret(tmp_path / "a.key")
    assert len(first) == 64 and kept_secret(tmp_path / "a.key") == first
    assert kept_secret(tmp_path / "b.key") != first
    assert mode(tmp_path / "a.key") == 0o600


def test_a_secret_that_others_could_read_is_closed(tmp_path: Path) -> None:
    kept_secret(tmp_path / "a.key")
    (tmp_path / "a.key").chmod(0o644)
    kept_secret(tmp_path / "a.key")
    assert mode(tmp_path / "a.key") == 0o600


@pytest.mark.parametrize("text", ["", "short", "Z" * 64, "0" * 65, "0" * 63 + "\u00e9"])
def test_a_damaged_secret_is_refused_by_name_and_never_quoted(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.key").write_text(text)
    with pytest.raises(DataUnusable, match=r"a\.key cannot be used") as caught:
        kept_secret(tmp_path / "a.key")
    assert not text or text not in str(caught.value)


def test_a_secret_behind_a_link_or_a_pipe_is_refused(tmp_path: Path) -> None:
    kept_secret(tmp_path / "a.key")
    (tmp_path / "link.key").symlink_to(tmp_path / "a.key")
    os.mkfifo(tmp_path / "pipe.key")
    for name in ("link.key", "pipe.key"):
        with pytest.raises(DataUnusable, match="cannot be used"):
            kept_secret(tmp_path / name)


HOSTILE = {
    "PLAIN": "redis://127.0.0.1:1/0",
    "COMMAND": "$(touch executed)`touch executed`",
    "END": "x; touch executed",
    "QUOTES": 'it\'s "quoted" \\ and\nbroken',
    "BLANKS": "  a  b  ",
    "NONE": "",
}


def test_a_shell_reads_the_variables_back_as_they_are_and_runs_nothing(tmp_path: Path) -> None:
    write_private(tmp_path / "environment", shell_variables(HOSTILE))
    show = "".join(f'printf "%s\\0" "${name}";' for name in HOSTILE)
    done = subprocess.run(
        ["bash", "-c", f"set -a; . ./environment; set +a; {show}"],
        cwd=tmp_path,
        capture_output=True,
        check=True,
        timeout=20,
    )
    assert done.stdout.decode().split("\0")[:-1] == list(HOSTILE.values())
    assert not (tmp_path / "executed").exists()
