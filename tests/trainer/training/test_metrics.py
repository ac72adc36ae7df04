"""Training metrics: a file always, a plot, and an optional tracker."""

import builtins
import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar

import pytest
from rich.console import Console

from judgestream.core.errors import ConfigurationError
from judgestream_trainer.recipe import Recipe
from judgestream_trainer.training.loop import Step
from judgestream_trainer.training.metrics import METRICS, PLOT, metrics, read_metrics, recorded
from tests.trainer import small


def step(number: int, loss: float = 2.0) -> Step:
    return Step(
        step=number,
        steps=4,
        loss=loss,
        smoothed=loss,
        tokens=100,
        tokens_per_second=50.0,
        flops=2e9,
        rate=0.5,
        norm=1.5,
        seconds=2.0 * number,
        counts={"read": 9, "prompt too long, left out": 2},
    )


def tracked(tracker: str) -> Recipe:
    return small.recipe(records={"tracker": tracker})


def test_mfu_is_the_models_flops_over_the_peak() -> None:
    assert metrics(step(1), peak=1e12)["mfu"] == pytest.approx(0.1)  # 2 G a token, 50 tokens/s
    assert "mfu" not in metrics(step(1), peak=None)


def test_every_step_is_a_line_and_the_loss_is_plotted(tmp_path: Path) -> None:
    console = Console(file=(tmp_path / "said").open("w"), force_terminal=True, width=120)
    with recorded(small.recipe(), tmp_path, console, peak=1e12) as report:
        report(step(1, 3.0))
        report(step(2, 2.0))
    assert [line["loss"] for line in read_metrics(tmp_path / METRICS)] == [3.0, 2.0]
    assert (tmp_path / PLOT).read_bytes().startswith(b"\x89PNG")
    console.file.close()
    said = (tmp_path / "said").read_text("utf-8")
    assert "loss 2.000" in said and "50 tokens/s" in said and "MFU 10.0%" in said
    assert "2 of 9 sequences: prompt too long, left out" in said


def test_repeated_steps_replace_their_lines(tmp_path: Path) -> None:
    with recorded(small.recipe(), tmp_path, None) as report:
        for number in (1, 2, 3):
            report(step(number))
    with (tmp_path / METRICS).open("a") as file:
        file.write('{"step": 4, "lo')  # killed while writing
    with recorded(small.recipe(), tmp_path, None) as report:
        report(step(3, 9.0))
    lines = read_metrics(tmp_path / METRICS)
    assert [(line["step"], line["loss"]) for line in lines] == [(1, 2), (2, 2), (3, 9)]


def test_tensorboard_holds_the_curves(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    with recorded(tracked("tensorboard"), tmp_path, None) as report:
        report(step(1, 3.0))
        report(step(2, 2.0))
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    assert [(e.step, e.value) for e in events.Scalars("train/loss")] == [(1, 3.0), (2, 2.0)]


class Tracking(BaseHTTPRequestHandler):
    """As much of MLflow's REST interface as a run needs."""

    logged: ClassVar[list[dict[str, Any]]] = []

    def do_GET(self) -> None:
        answers = {
            "experiments/get": {"experiment": EXPERIMENT},  # by name, too
            "runs/get": {"run": RUN},
        }
        self._answer(next(v for k, v in answers.items() if f"mlflow/{k}" in self.path))

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path.endswith("runs/log-batch"):
            self.logged.extend(body.get("metrics", []))
        self._answer({"run": RUN, "run_info": RUN["info"]})

    def _answer(self, data: object) -> None:
        content = json.dumps(data).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


EXPERIMENT = {"experiment_id": "1", "name": "judgestream", "lifecycle_stage": "active"}
RUN = {
    "info": {
        "run_id": "r1",
        "run_uuid": "r1",
        "experiment_id": "1",
        "status": "RUNNING",
        "artifact_uri": "mlflow-artifacts:/1/r1",
        "lifecycle_stage": "active",
    },
    "data": {},
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_gets_the_curves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tracking)
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{server.server_port}")
        with recorded(tracked("mlflow"), tmp_path, None) as report:
            report(step(1, 3.0))
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
    losses = [(one["step"], one["value"]) for one in Tracking.logged if one["key"] == "loss"]
    assert losses == [(1, 3.0)]


def test_mlflow_without_a_server_names_the_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(ConfigurationError, match="MLFLOW_TRACKING_URI"):
        with recorded(tracked("mlflow"), tmp_path, None):
            pass


@pytest.mark.parametrize("tracker", ["tensorboard", "mlflow"])
def test_a_tracker_that_is_not_installed_is_named_with_its_extra(
    tracker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def absent(name: str, *args: Any, **kwargs: Any) -> Any:
        if tracker in name:
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    monkeypatch.setattr(builtins, "__import__", absent)
    with pytest.raises(ConfigurationError, match=rf"pip install 'judgestream\[{tracker}\]'"):
        with recorded(tracked(tracker), tmp_path, None):
            pass
