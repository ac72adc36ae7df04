"""Triton's Python backend over `judgestream.engine`: tensors in, `Judge.read`, tensors out.

Everything that decides something lives in the engine.
"""

import functools
import json
import sys
from pathlib import Path

import triton_python_backend_utils as pb_utils

UNDER_WAY = 4
"""Batches of a decoupled judge that take turns."""

FINISH_S = 5
"""How long an unloaded judge may go on writing."""


class TritonPythonModel:
    def initialize(self, args):
        """Load, check and warm up the judge. Whatever is raised here is what `load_model` reports."""
        config = json.loads(args["model_config"])
        parameters = {key: value["string_value"] for key, value in config["parameters"].items()}
        decoupled = config.get("model_transaction_policy", {}).get("decoupled", False)
        self.name = args["model_name"]
        _find_package(parameters["python_path"])

        from judgestream.engine.checkpoint import load  # before torch: see judgestream.engine

        # isort: split
        import torch
        import transformers

        from judgestream.engine.judge import Judge
        from judgestream.engine.serving import Counters
        from judgestream.engine.turns import Turns

        if int(parameters["threads"]) > 0:
            torch.set_num_threads(int(parameters["threads"]))
        on_gpu = args["model_instance_kind"] == "GPU"
        device = f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu"
        dtype = None if parameters["dtype"] == "auto" else getattr(torch, parameters["dtype"])
        folder = Path(args["model_repository"]) / args["model_version"] / "checkpoint"
        transformers.utils.logging.disable_progress_bar()
        checkpoint = load(folder, device=device, dtype=dtype)
        if checkpoint.digest != parameters["checkpoint_digest"]:
            raise pb_utils.TritonModelException(
                f"{self.name}: the checkpoint in {folder} is {checkpoint.digest[:8]}, not"
                f" {parameters['checkpoint_digest'][:8]}; install the release again"
            )
        self.judge = Judge(checkpoint, row_tokens=int(parameters["row_tokens"]))
        self._warm_up(parameters["template_id"])
        labels = {"model": self.name, "version": args["model_version"]}
        self.counters = Counters("judgestream_engine", COUNTERS, labels, pb_utils)
        self.facts = _facts(self.judge, labels)
        self.turns = None
        if decoupled:
            self.turns = Turns(limit=UNDER_WAY, between=self._count, failed=self._failed)
        pb_utils.Logger.log_info(
            f"{self.name}: {checkpoint.manifest.name} on {device}, {checkpoint.decoder.dtype},"
            f" attention {checkpoint.decoder.kernel_name}, rows of {self.judge.row_tokens} tokens,"
            f" {torch.get_num_threads()} threads"
        )

    def execute(self, requests):
        """Decoupled, batches take turns, so that scores do not wait for explanations; `add` waits while
        enough of them are under way, and requests queue in Triton, where the limits are."""
        from judgestream.engine.serving import answer, answering

        if self.turns is not None:
            stream = functools.partial(self.judge.stream, partial=True)
            self.turns.add(answering(requests, stream, pb_utils, self.name))
            return
        answer(requests, self.judge.stream, pb_utils, self.name)
        self._count()

    def finalize(self):
        if self.turns is not None and not self.turns.close(FINISH_S):
            pb_utils.Logger.log_error(f"{self.name}: still writing after {FINISH_S} s; given up")

    def _count(self):
        self.counters.show(self.judge.work)

    def _failed(self, error):
        pb_utils.Logger.log_error(f"{self.name}: {error!r}")

    def _warm_up(self, template_id):
        """Judge one prompt of each mode: builds the score trees and fails here rather than later."""
        from judgestream.core.modes import MODES
        from judgestream.core.templates import template
        from judgestream.core.types import Reply
        from judgestream.engine.prompt import Prompt

        forms = template(template_id).forms
        prompts = [
            Prompt(
                text=forms[mode.form].render("Ready?", ["Yes."] * mode.candidates, "Yes."),
                grammar=forms[mode.form].grammar,
                max_tokens=1,
            )
            for mode in MODES.values()
            if mode.form in forms
        ]
        for reply in self.judge.read(prompts):
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


def _facts(judge, labels):
    """Gauges that never change; the caller keeps them alive."""
    decoder = judge.checkpoint.decoder
    facts = []
    for key, text, more, value in (
        ("row_tokens", "Budget of a row, in tokens", {}, judge.row_tokens),
        ("token_flops", "FLOP of the linear layers per token", {}, decoder.flops_per_token),
        ("kernel", "The attention kernel in use", {"kernel": decoder.kernel_name}, 1),
    ):
        family = pb_utils.MetricFamily(
            name=f"judgestream_engine_{key}", description=text, kind=pb_utils.MetricFamily.GAUGE
        )
        metric = family.Metric(labels=labels | more)
        metric.set(value)
        facts.append((family, metric))
    return facts


def _find_package(path):
    if path and Path(path).is_dir() and path not in sys.path:
        sys.path.insert(0, path)
