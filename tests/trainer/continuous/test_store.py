"""The store under redelivery, corrections, tombstones, training cycles and SIGKILL."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from judgestream.adapters.kafka.consuming import Incoming
from judgestream.contracts.records import Record
from judgestream.core.errors import UndecodableRecord
from judgestream.v1.training_pb2 import TrainingExample
from judgestream_trainer.continuous.store import PUBLISHED, BatchCounts, Store
from judgestream_trainer.data.example import Example, Judgement
from judgestream_trainer.data.topic import example_to_message

WHEN = datetime(2026, 1, 1, tzinfo=UTC)


def example(name: str, *, scores: tuple[float, float] = (8, 2)) -> Example:
    return Example(
        id=name, question=f"q {name}", answers=("a", "b"), blind=Judgement(scores=scores)
    )


def record(value: bytes | None, *, key: str = "k", offset: int = 0) -> Record:
    return Record(
        topic="judge.training.v1",
        partition=0,
        offset=offset,
        time=WHEN,
        key=key.encode(),
        value=value,
    )


def sent(one: Example, *, offset: int = 0) -> Incoming[TrainingExample]:
    message = example_to_message(one, labelled_at=WHEN)
    value = message.SerializeToString()
    return Incoming(record=record(value, key=one.id, offset=offset), message=message)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.sqlite")


def test_a_redelivered_example_changes_nothing(store: Store) -> None:
    assert store.add([sent(example("a")), sent(example("b"))]) == BatchCounts(new=2)
    assert store.add([sent(example("a")), sent(example("c"))]) == BatchCounts(new=1, same=1)
    assert store.new_count() == 3


def test_an_example_that_a_cycle_has_used_is_new_again_only_if_it_changed(
    store: Store,
) -> None:
    store.add([sent(example("a")), sent(example("b"))])
    number = store.open_cycle()
    assert store.new_count() == 0
    assert store.add([sent(example("a"))]) == BatchCounts(same=1)
    assert store.new_count() == 0
    assert store.add([sent(example("b", scores=(1, 9)))]) == BatchCounts(new=1)
    assert store.new_count() == 1
    store.close_cycle(number, PUBLISHED, Path("x"))
    store.open_cycle()
    assert [(one.id, one.blind) for one in store.examples()] == [
        ("a", Judgement(scores=(8, 2))),
        ("b", Judgement(scores=(1, 9))),
    ]


def test_a_tombstone_deletes_an_example(store: Store) -> None:
    store.add([sent(example("a")), sent(example("b"))])
    empty = UndecodableRecord("empty")
    gone: Incoming[TrainingExample] = Incoming(record=record(None, key="a"), message=empty)
    assert store.add([gone]) == BatchCounts(deleted=1)
    store.open_cycle()
    assert [one.id for one in store.examples()] == ["b"]


def test_an_invalid_record_is_kept_with_its_reason_and_counted_once(store: Store) -> None:
    bad: Incoming[TrainingExample] = Incoming(
        record=record(b"\xff", offset=7), message=UndecodableRecord("no")
    )
    same = Example(id="s", question="q", answers=("a", "a"), blind=Judgement(scores=(5, 5)))
    out_of_range = example("r", scores=(11, 2))
    batch = [bad, sent(same, offset=8), sent(out_of_range, offset=9)]
    assert store.add(batch) == BatchCounts(rejected=3)
    store.add(batch)
    assert sum(store.rejected().values()) == 3
    assert store.rejected()["undecodable"] == 1
    assert store.new_count() == 0


def odd(name: str) -> TrainingExample:
    """A record that decodes, and is odd in one way."""
    message = example_to_message(example("o"), labelled_at=WHEN)
    nan = float("nan")
    if name == "NaN scores":
        message.blind.scores[:] = [nan, nan]
    elif name == "infinite scores":
        message.blind.scores[:] = [float("inf"), 1]
    elif name == "a mark outside its answer":
        message.answers[0].marks.add(start=5, end=2**31 - 1, wrong=True)
    elif name == "three answers":
        message.answers.add(text="c")
    elif name == "one score":
        message.blind.scores[:] = [1]
    elif name == "an id of a megabyte":
        message.example_id = "x" * (1 << 20)
    elif name == "nothing but a reference":
        message.ClearField("blind")
        message.reference = "r"
    elif name == "a blank question":
        message.question = " \n"
    return message


@pytest.mark.parametrize(
    "name",
    [
        "NaN scores",
        "infinite scores",
        "a mark outside its answer",
        "three answers",
        "one score",
        "an id of a megabyte",
        "nothing but a reference",
        "a blank question",
    ],
)
def test_an_odd_record_is_set_aside_with_a_short_reason_and_the_rest_is_stored(
    store: Store, name: str
) -> None:
    message = odd(name)
    value = message.SerializeToString()
    strange = Incoming(record=record(value, offset=3), message=message)
    batch = [sent(example("a"), offset=2), strange, sent(example("b"), offset=4)]
    assert store.add(batch) == BatchCounts(new=2, rejected=1)
    (reason,) = store.rejected()
    assert 0 < len(reason) < 5000
    store.open_cycle()
    assert [one.id for one in store.examples()] == ["a", "b"]


def test_an_empty_record_is_not_a_tombstone(store: Store) -> None:
    """A null value deletes an example; zero bytes are an invalid record."""
    store.add([sent(example("a"))])
    empty = Incoming(record=record(b"", key="a", offset=1), message=TrainingExample())
    assert store.add([empty]) == BatchCounts(rejected=1)
    assert store.new_count() == 1


@pytest.mark.parametrize("text", ["nul \x00 in it", "\u202e right to left", "|", "$x$ <b>"])
def test_odd_text_is_kept_as_it_is(store: Store, text: str) -> None:
    one = Example(
        id=f"id {text}",
        question=text,
        answers=(text, f"{text} 2"),
        blind=Judgement(scores=(8, 2), explanation=text),
        group=text,
    )
    assert store.add([sent(one)]) == BatchCounts(new=1)
    store.open_cycle()
    assert store.examples() == [one]


def test_an_open_cycle_is_found_again_with_the_same_examples(tmp_path: Path) -> None:
    first = Store(tmp_path / "store.sqlite")
    first.add([sent(example("a"))])
    number = first.open_cycle()
    before = first.digest()
    first.close()
    again = Store(tmp_path / "store.sqlite")
    assert again.pending() == number == 1
    assert again.digest() == before
    again.close_cycle(number, PUBLISHED, tmp_path / "judge")
    assert again.pending() is None
    assert again.current() == tmp_path / "judge"


def test_the_judge_that_was_published_last_is_the_current_one(store: Store) -> None:
    assert store.current() is None
    for outcome, folder in ((PUBLISHED, "one"), ("refused", "two")):
        store.close_cycle(store.open_cycle(), outcome, Path(folder))
    assert store.current() == Path("one")


def test_the_best_judge_stays_until_another_replaces_it(store: Store) -> None:
    assert store.best() is None
    store.set_best(1, Path("one"), "{}")
    store.close_cycle(store.open_cycle(), PUBLISHED, Path("two"))
    assert (store.best(), store.current()) == (Path("one"), Path("two"))
    store.set_best(3, Path("three"), "{}")
    assert store.best() == Path("three")


def test_a_stored_batch_survives_a_kill(tmp_path: Path) -> None:
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "sys.path.insert(0, sys.argv[2])\n"
        "from test_store import example, sent\n"
        "from judgestream_trainer.continuous.store import Store\n"
        "store = Store(Path(sys.argv[1]))\n"
        "store.add([sent(example(str(k))) for k in range(5)])\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    path = tmp_path / "store.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", script, str(path), str(Path(__file__).parent)], timeout=120
    )
    assert done.returncode == -signal.SIGKILL
    assert Store(path).new_count() == 5
