"""The shipped samples are the output of the samples command."""

from pathlib import Path

from judgestream_trainer.tasks.samples import write_samples
from tests.paths import SERVICES

SHIPPED = SERVICES / "judgestream" / "samples"
SEED = 11


def test_the_shipped_samples_are_what_the_generator_writes(tmp_path: Path) -> None:
    counts = write_samples(tmp_path, seed=SEED)
    assert counts == {"requests": 40, "labels": 35, "bad": 11}
    for name in counts:
        written = (tmp_path / f"{name}.jsonl").read_bytes()
        assert written == (SHIPPED / f"{name}.jsonl").read_bytes()
