"""The owner of a data folder is checked before anything starts in it."""

from pathlib import Path

import pytest

from judgestream.local.errors import DataUnusable
from judgestream.local.kafka import _formatted
from judgestream.local.kafka_config import CLUSTER_ID


def test_an_empty_folder_is_not_formatted(tmp_path: Path) -> None:
    assert not _formatted(tmp_path)


def test_our_own_folder_is_used_again(tmp_path: Path) -> None:
    (tmp_path / "meta.properties").write_text(f"version=1\nnode.id=1\ncluster.id={CLUSTER_ID}\n")
    assert _formatted(tmp_path)


@pytest.mark.parametrize(
    "meta", ["node.id=1\ncluster.id=other", f"node.id=2\ncluster.id={CLUSTER_ID}"]
)
def test_the_folder_of_another_kafka_is_left_alone(tmp_path: Path, meta: str) -> None:
    (tmp_path / "meta.properties").write_text(meta)
    with pytest.raises(
        DataUnusable, match="belongs to another Kafka .* Choose another data folder"
    ):
        _formatted(tmp_path)
