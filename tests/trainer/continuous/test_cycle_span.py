"""The trace of a training cycle, as a collector gets it. A whole one: integration/test_trainer_service.py."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from judgestream_trainer.continuous.cycle import FineTune, Stopped
from judgestream_trainer.continuous.service import Service, Signals
from judgestream_trainer.continuous.store import Store
from judgestream_trainer.data.example import Example
from judgestream_trainer.data.split import Shares
from tests.traced import Traces
from tests.trainer.continuous.test_cycle import QUIET, Lab
from tests.trainer.continuous.test_store import example, sent


def failing(error: Exception) -> FineTune:
    def tune(examples: Sequence[Example], base: Path, work: Path) -> Path:
        raise error

    return tune


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


def run(lab: Lab, data: Path, error: Exception) -> bool:
    """One turn of a service that has an open cycle, whose training ends with this error."""
    settings = replace(lab.settings(), fine_tune=failing(error), shares=Shares(test=0.2))

    def reader() -> None:
        raise AssertionError("an open cycle is finished before anything is read")

    service = Service(
        settings=settings,
        reader=reader,  # type: ignore[arg-type]  # has what the service calls
        data=data,
        min_examples=1,
        console=QUIET,
    )
    return service.run(Signals(), once=True)


def opened(data: Path) -> None:
    """A data folder with one open cycle of 20 examples."""
    store = Store(data / "store.sqlite")
    store.add([sent(example(f"e{k}"), offset=k) for k in range(20)])
    store.open_cycle()
    store.close()


def test_a_training_that_fails_is_the_failed_part_of_a_cycle_that_ends(
    lab: Lab, tmp_path: Path, traces: Traces
) -> None:
    opened(tmp_path / "data")
    assert not run(lab, tmp_path / "data", FloatingPointError("the loss of step 3 is nan"))
    read, train, cycle = traces.spans()
    assert [one.name for one in (read, train, cycle)] == [
        "read examples",
        "train",
        "training cycle",
    ]
    assert cycle.parent == "" and read.parent == train.parent == cycle.span_id
    assert read.trace_id == train.trace_id == cycle.trace_id
    assert train.failed and train.attributes["error.type"] == "FloatingPointError"
    assert not cycle.failed and cycle.attributes["judgestream.outcome"] == "refused"
    assert sum(v for k, v in read.attributes.items() if k.startswith("judgestream.examples")) == 20


def test_a_cycle_that_is_stopped_says_so_and_the_next_part_of_it_has_its_number(
    lab: Lab, tmp_path: Path, traces: Traces
) -> None:
    opened(tmp_path / "data")
    run(lab, tmp_path / "data", Stopped())
    run(lab, tmp_path / "data", ValueError("nothing fits"))
    first, second = (one for one in traces.spans() if one.name == "training cycle")
    assert first.failed and first.attributes["error.type"] == "Stopped"
    assert not second.failed and second.attributes["judgestream.resumed"] is True
    assert first.attributes["judgestream.cycle"] == second.attributes["judgestream.cycle"] == 1
