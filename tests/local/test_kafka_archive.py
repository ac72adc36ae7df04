"""The class cache of Kafka: each environment of a machine keeps its own."""

import os
import time
from pathlib import Path

import pytest

from judgestream.local import kafka_archive
from judgestream.local.kafka_archive import UNUSED_S, prepare


def test_a_new_cache_removes_only_those_unused_for_a_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    java, jar = tmp_path / "java", tmp_path / "kafka.jar"
    java.touch()
    jar.touch()
    monkeypatch.setattr(kafka_archive, "_train", lambda archive, *_: archive.touch())
    folder = tmp_path / "aot"
    folder.mkdir()
    used, unused = folder / "used.aot", folder / "unused.aot"
    for path in (used, unused, unused.with_suffix(".log")):
        path.touch()
    long_ago = time.time() - UNUSED_S - 60
    os.utime(unused, (long_ago, long_ago))

    made = prepare(tmp_path, java=java, jars=[jar], ready=lambda port: True)

    assert made is not None and {path.name for path in folder.glob("*.*")} >= {used.name, made.name}
    assert not unused.exists() and not unused.with_suffix(".log").exists()
    os.utime(made, (long_ago, long_ago))
    assert prepare(tmp_path, java=java, jars=[jar], ready=lambda port: True) == made
    assert time.time() - made.stat().st_mtime < 60  # used again
