"""Triton's Python backend over `judgestream.engine`: tensors in, `Judge.read`, tensors out.

Everything that decides something lives in the engine.
"""

import functools
import json
import sys
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

UNDER_WAY = 4
"""Batches of a decoupled judge that take turns."""

FINISH_S = 5
"""How long an unloaded judge may go on writing."""


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        """Load, check and warm up the judge. Whatever is raised here is what `load_model` reports."""
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        decoupled = config.get("model_transaction_policy", {}).get("decoupled", False)
        self.name = args["model_name"]
        _find_package(parameters["python_path"])

        from judgestream.engine.openmp import wait_passively

        wait_passively()

        # isort: split
        import torch
        import transformers

        from judgestream.backends.instance import Setting, start
        from judgestream.backends.round_robin import RoundRobin
        from judgestream.backends.throughput import Gauges, peak_flops
        from judgestream.backends.triton_requests import Counters, LazyGauges

        if int(parameters["threads"]) > 0:
            torch.set_num_threads(int(parameters["threads"]))
        setting = Setting.of(
            parameters,
            kind=args["model_instance_kind"],
            device_id=int(args["model_instance_device_id"]),
        )
        folder = Path(args["model_repository"]) / args["model_version"] / "checkpoint"
        transformers.utils.logging.disable_progress_bar()
        self.judge, agreed = start(folder, setting)
        checkpoint = self.judge.checkpoint
        if checkpoint.digest != parameters["checkpoint_digest"]:
            raise pb_utils.TritonModelException(
                f"{self.name}: the checkpoint in {folder} is {checkpoint.digest[:8]}, not"
                f" {parameters['checkpoint_digest'][:8]}; install the release again"
            )
        self._warm_up(parameters["template_id"])
        labels = {"model": self.name, "version": args["model_version"]}
        self.counters = Counters("judgestream_engine", COUNTERS, labels, pb_utils)
        self.shown = LazyGauges("judgestream_engine", GAUGES, labels, pb_utils)
        self.gauges = Gauges(
            self.judge, peak_flops(checkpoint.decoder, float(parameters["peak_tflops"]))
        )
        self.facts = _facts(self.judge, agreed, labels)
        self.turns = None
        if decoupled:
            self.turns = RoundRobin(limit=UNDER_WAY, between=self._count, failed=self._failed)
        pb_utils.Logger.log_info(
            f"{self.name}: {checkpoint.manifest.name} on {', '.join(setting.devices)},"
            f" {setting.dtype} ({checkpoint.decoder.dtype}),"
            f" attention {checkpoint.decoder.kernel_name}, rows of {self.judge.row_tokens} tokens,"
            f" {torch.get_num_threads()} threads"
        )

    def execute(self, requests: list[Any]) -> None:
        """Decoupled, batches take turns, so that scores do not wait for explanations; `add` waits while
        enough of them are under way, and requests queue in Triton, where the limits are."""
        from judgestream.backends.triton_requests import answer, answering

        if self.turns is not None:
            stream = functools.partial(self.judge.stream, partial=True)
            self.turns.add(answering(requests, stream, pb_utils, self.name))
            return
        answer(requests, self.judge.stream, pb_utils, self.name)
        self._count()

    def finalize(self) -> None:
        if self.turns is not None and not self.turns.close(FINISH_S):
            pb_utils.Logger.log_error(f"{self.name}: still writing after {FINISH_S} s; given up")

    def _count(self) -> None:
        self.counters.show(self.judge.work)
        self.shown.show(self.gauges.look())

    def _failed(self, error: BaseException) -> None:
        pb_utils.Logger.log_error(f"{self.name}: {error!r}")

    def _warm_up(self, template_id: str) -> None:
        """Judge one prompt of each mode: builds the score trees and fails here rather than later."""
        from judgestream.core.probe import warm_up_prompts
        from judgestream.core.templates import template
        from judgestream.core.types import Reply

        for reply in self.judge.read(warm_up_prompts(template(template_id))):
            if not isinstance(reply, Reply):
                raise pb_utils.TritonModelException(f"{self.name}: warm-up failed: {reply}")


COUNTERS = {
    "prompts": "Prompts judged",
    "prompt_tokens": "Tokens of these prompts as they came",
    "run_tokens": "Tokens run: common prefixes once, score branches added",
    "rows": "Packed rows, each one forward",
    "written": "Tokens decoded one by one",
    "seconds": "Seconds spent computing",
}


GAUGES = {
    "fill": "Tokens of the last rows over their budget",
    "tokens_per_second": "Tokens run per second of the last rows",
    "mfu": "FLOP/s of the linear layers in the last rows over the devices' bf16 peak",
}


def _facts(judge: Any, agreed: Any, labels: dict[str, str]) -> list[Any]:
    """Gauges that never change; the caller keeps them alive."""
    decoder = judge.checkpoint.decoder
    facts = []
    for key, text, more, value in (
        ("row_tokens", "Budget of a row, in tokens", {}, judge.row_tokens),
        ("token_flops", "FLOP of the linear layers per token", {}, decoder.flops_per_token),
        ("kernel", "The attention kernel in use", {"kernel": decoder.kernel_name}, 1),
        ("devices", "Devices that share the weights", {}, decoder.shards),
        *(
            [("float8_agreement", "Verdicts that float8 left as they were", {}, agreed.share)]
            if agreed is not None
            else []
        ),
    ):
        family = pb_utils.MetricFamily(
            name=f"judgestream_engine_{key}", description=text, kind=pb_utils.MetricFamily.GAUGE
        )
        metric = family.Metric(labels=labels | more)
        metric.set(value)
        facts.append((family, metric))
    return facts


def _find_package(path: str) -> None:
    if path and Path(path).is_dir() and path not in sys.path:
        sys.path.insert(0, path)
