"""A worker's ready file, and the ports of its metrics."""

import os
from pathlib import Path

import pytest

from judgestream.apps.worker.metrics_ports import metrics_port, with_metrics_port
from judgestream.apps.worker.readiness import ignore_ready, ready_file
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Settings, load


def test_the_ready_file_holds_the_pid(tmp_path: Path) -> None:
    ready_file(tmp_path / "ready")()
    assert (tmp_path / "ready").read_text() == f"{os.getpid()}\n"
    assert ready_file(None) is ignore_ready


def test_a_ready_file_that_cannot_be_written_is_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ready_file(tmp_path / "none" / "ready")()
    assert "cannot be written" in caplog.text


def settings_with(port: int) -> Settings:
    return load(worker={"metrics_port": port})


@pytest.mark.parametrize(
    ("base", "kind", "slot", "port"),
    [
        (0, "judging", 5, 0),
        (9000, "judging", 0, 9000),
        (9000, "judging", 7, 9007),
        (9000, "bias", 0, 9100),
        (9000, "rollout", 1, 9201),
    ],
)
def test_every_worker_of_a_machine_has_its_own_metrics_port(
    base: int, kind: str, slot: int, port: int
) -> None:
    assert metrics_port(settings_with(base), kind, slot) == port
    assert with_metrics_port(settings_with(base), kind, slot).worker.metrics_port == port


def test_a_slot_without_a_port_is_refused_only_where_ports_are_wanted() -> None:
    assert metrics_port(settings_with(0), "judging", 100) == 0
    with pytest.raises(ConfigurationError, match="slots 0 to 99"):
        metrics_port(settings_with(9000), "judging", 100)


def test_an_exact_port_needs_no_base_and_has_no_last_slot() -> None:
    for base in (0, 9000):
        settings = with_metrics_port(settings_with(base), "bias", 100, exact=9100)
        assert settings.worker.metrics_port == 9100
