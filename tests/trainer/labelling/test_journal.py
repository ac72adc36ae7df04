"""What was judged outlives a crash, and one process at a time writes it."""

import errno
from pathlib import Path
from typing import Any

import pytest

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.labelling.journal import NAME, Entry, open_journal


def test_entries_come_back_and_the_last_of_a_key_counts(tmp_path: Path) -> None:
    first = Entry(key="a", text='8 3\n"näher"', finish="stop", input_tokens=5, output_tokens=2)
    with open_journal(tmp_path) as journal:
        journal.append(first)
        journal.append(Entry(key="b", lost=True, input_tokens=9))
        journal.append(Entry(key="c", text="old"))
        journal.append(Entry(key="c", text="new"))
    with open_journal(tmp_path) as journal:
        assert journal.answers == {"a": first, "c": Entry(key="c", text="new")}
        assert len(journal.all_entries) == 4


@pytest.mark.parametrize("cut", [1, 5, 30])
def test_a_last_line_that_was_cut_off_is_dropped(tmp_path: Path, cut: int) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(Entry(key="a", text="8 3"))
        journal.append(Entry(key="b", text="a text that is long enough to cut"))
    path = tmp_path / NAME
    path.write_bytes(path.read_bytes()[:-cut])
    with open_journal(tmp_path) as journal:
        assert set(journal.answers) == {"a"}
        journal.append(Entry(key="b", text="again"))
    with open_journal(tmp_path) as journal:
        assert journal.answers["b"].text == "again"


def test_damage_elsewhere_is_reported_with_its_line(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"key": "a"}\n{"key": \n{"key": "c"}\n', "utf-8")
    with pytest.raises(
        ConfigurationError, match=r"judgements\.jsonl, line 2: invalid journal entry"
    ):
        with open_journal(tmp_path):
            pass


def test_a_second_build_in_the_same_folder_is_refused(tmp_path: Path) -> None:
    with open_journal(tmp_path):
        with pytest.raises(ConfigurationError, match="another build is running"):
            with open_journal(tmp_path):
                pass
    with open_journal(tmp_path):
        pass


def test_a_full_disk_is_reported_and_costs_at_most_one_line(tmp_path: Path) -> None:
    with open_journal(tmp_path) as journal:
        journal.append(Entry(key="a", text="8 3"))
        real = journal._file

        class Full:
            name = real.name

            def write(self, line: bytes) -> int:
                real.write(line[:7])
                raise OSError(errno.ENOSPC, "No space left on device")

            def fileno(self) -> int:
                return real.fileno()

        full: Any = Full()
        journal._file = full
        with pytest.raises(ConfigurationError, match="No space left on device. Free disk space"):
            journal.append(Entry(key="b"))
        journal._file = real
    with open_journal(tmp_path) as journal:
        assert set(journal.answers) == {"a"}
