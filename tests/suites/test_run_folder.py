"""The folder of a run, and its budget."""

from dataclasses import replace
from pathlib import Path

import pytest

from judgestream.apps.suites.purse import Purse
from judgestream.apps.suites.run_folder import JOURNAL, RUN, Identity, RunFolder, read_values
from judgestream.core.errors import ConfigurationError
from judgestream.core.types import Verdict
from judgestream.suites.mt_bench import SUITE
from tests.suites.folders import mt_bench
from tests.suites.verdicts import verdict

IDENTITY = Identity(suite="mt-bench", data="d", seed=0, release="r")


@pytest.fixture
def verdicts(tmp_path: Path) -> list[Verdict]:
    from judgestream.apps.suites.loading import load_files

    items = list(SUITE.items(load_files(SUITE, mt_bench(tmp_path / "data")).tables))[:3]
    return [verdict(item, lambda item, k: "AB"[k]) for item in items]


def kept(path: Path) -> list[str]:
    return [one.request_id for one in RunFolder(path, IDENTITY).journal()]


def test_verdicts_survive_a_crash_at_any_byte_of_the_last_line(
    tmp_path: Path, verdicts: list[Verdict]
) -> None:
    path = tmp_path / "run"
    with RunFolder(path, IDENTITY) as folder:
        for one in verdicts:
            folder.add(one)
    assert kept(path) == [one.request_id for one in verdicts]
    whole = (path / JOURNAL).read_bytes()
    last = len(whole) - len(whole.splitlines(keepends=True)[-1])
    for size in (last, last + 1, last + 200, len(whole) - 2):
        (path / JOURNAL).write_bytes(whole[:size])
        assert kept(path) == [one.request_id for one in verdicts[:2]]
        with RunFolder(path, IDENTITY) as folder:
            folder.add(verdicts[2])
        assert (path / JOURNAL).read_bytes() == whole


def test_a_damaged_line_before_the_last_is_named(tmp_path: Path, verdicts: list[Verdict]) -> None:
    path = tmp_path / "run"
    with RunFolder(path, IDENTITY) as folder:
        folder.add(verdicts[0])
    (path / JOURNAL).write_bytes(b"{}}\n" + (path / JOURNAL).read_bytes())
    with pytest.raises(ConfigurationError, match="line 1 is not a verdict"):
        kept(path)


@pytest.mark.parametrize(
    "other",
    [
        replace(IDENTITY, suite="arena"),
        replace(IDENTITY, data="e"),
        replace(IDENTITY, seed=1),
        replace(IDENTITY, release="s"),
    ],
    ids=["suite", "data", "seed", "release"],
)
def test_a_folder_of_another_run_is_refused(tmp_path: Path, other: Identity) -> None:
    RunFolder(tmp_path, IDENTITY).describe({"limit": 3})
    RunFolder(tmp_path, IDENTITY)
    with pytest.raises(ConfigurationError, match="name another folder"):
        RunFolder(tmp_path, other)


@pytest.mark.parametrize("text", ["[]", "no json"], ids=["list", "words"])
def test_a_run_file_that_is_not_one_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / RUN).write_text(text)
    with pytest.raises(ConfigurationError, match="run.json"):
        RunFolder(tmp_path, IDENTITY)


def test_a_folder_without_a_finished_run_cannot_be_compared(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"has no values\.json"):
        read_values(tmp_path)


@pytest.mark.parametrize(
    "values",
    [
        "3",
        '{"a": 1}',
        '{"a": ["p"]}',
        '{"a": ["p", NaN]}',
        '{"a": ["p", "1"]}',
        '{"a": ["p", null]}',
    ],
)
def test_damaged_values_are_not_compared(tmp_path: Path, values: str) -> None:
    (tmp_path / "values.json").write_text(f'{{"values": {values}}}')
    with pytest.raises(ConfigurationError, match="run the suite again"):
        read_values(tmp_path)


def test_values_are_read_with_what_was_run(tmp_path: Path) -> None:
    (tmp_path / "values.json").write_text('{"suite": "s", "values": {"a": ["p", 1]}}')
    found = read_values(tmp_path)
    assert (dict(found.facts), dict(found.values)) == ({"suite": "s"}, {"a": ("p", 1.0)})


def test_a_purse_counts_requests_in_flight_at_the_mean_cost() -> None:
    purse = Purse(1.0, estimated=0.3)
    assert [purse.allows(n) for n in range(4)] == [True, True, True, False]
    purse.pay(0.5)
    assert purse.allows(0) and not purse.allows(1)
    purse.pay(0.5)
    assert not purse.allows(0) and purse.spent == 1.0
    assert Purse(None, estimated=9.0).allows(10**6)
