"""Triton's Python backend over `judgestream.engine`: tensors in, `Judge.read`, tensors out.

Everything that decides something lives in the engine. Triton hands over a list of requests, each with one
or more rows; all rows of all requests go to the judge together, and an error stays with its own request.
"""

import json
import sys
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

OUTPUTS = ("text_output", "finish_reason", "num_input_tokens", "num_output_tokens", "score_probs")


class TritonPythonModel:
    def initialize(self, args):
        """Load, check and warm up the judge. Whatever is raised here is what `load_model` reports."""
        parameters = {
            key: value["string_value"]
            for key, value in json.loads(args["model_config"])["parameters"].items()
        }
        self.name = args["model_name"]
        _find_package(parameters["python_path"])

        import torch
        import transformers

        from judgestream.engine.checkpoint import load
        from judgestream.engine.judge import Judge

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
        self.meters = _Meters(self.judge, args["model_name"], args["model_version"])
        pb_utils.Logger.log_info(
            f"{self.name}: {checkpoint.manifest.name} on {device}, {checkpoint.decoder.dtype},"
            f" attention {checkpoint.decoder.kernel_name}, rows of {self.judge.row_tokens} tokens,"
            f" {torch.get_num_threads()} threads"
        )

    def execute(self, requests):
        """One response per request, in order; an error in one leaves the others alone."""
        from judgestream.engine.wire import BAD_REQUEST, prompts_of

        responses = [None] * len(requests)
        prompts, spans = [], []
        for at, request in enumerate(requests):
            if request.is_cancelled():
                responses[at] = _error("cancelled by the client", pb_utils.TritonError.CANCELLED)
                continue
            try:
                rows = prompts_of(
                    _column(request, "text_input"),
                    _column(request, "sampling_parameters"),
                    _column(request, "score_grammar"),
                )
            except ValueError as error:
                responses[at] = _error(BAD_REQUEST + str(error), pb_utils.TritonError.INVALID_ARG)
                continue
            spans.append((at, len(prompts), len(prompts) + len(rows)))
            prompts.extend(rows)
        try:
            replies = self.judge.read(prompts)
        except Exception as error:
            pb_utils.Logger.log_error(f"{self.name}: batch of {len(prompts)} failed: {error!r}")
            replies = None  # memory, most likely: each request gets a try of its own
        for at, start, stop in spans:
            try:
                found = replies[start:stop] if replies else self.judge.read(prompts[start:stop])
                responses[at] = _response(found)
            except Exception as error:
                responses[at] = _error(f"{self.name}: {error!r}", pb_utils.TritonError.INTERNAL)
        self.meters.show(self.judge)
        return responses

    def _warm_up(self, template_id):
        """Judge one prompt of each mode: builds the score trees and fails here rather than later."""
        from judgestream.core.modes import MODES
        from judgestream.core.templates import template
        from judgestream.core.types import Reply
        from judgestream.engine.judge import Prompt

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


class _Meters:
    """The judge's counters on Triton's metrics port, as `judgestream_engine_*`."""

    COUNTERS = {
        "prompts": "Prompts judged",
        "prompt_tokens": "Tokens of these prompts as they came",
        "run_tokens": "Tokens run: common prefixes once, score branches added",
        "rows": "Packed rows, each one forward",
        "written": "Tokens decoded one by one",
        "seconds": "Seconds spent computing",
    }

    def __init__(self, judge, name, version):
        labels = {"model": name, "version": version}
        self.counters = {
            key: pb_utils.MetricFamily(
                name=f"judgestream_engine_{key}_total",
                description=text,
                kind=pb_utils.MetricFamily.COUNTER,
            )
            for key, text in self.COUNTERS.items()
        }
        self.metrics = {key: c.Metric(labels=labels) for key, c in self.counters.items()}
        self.shown = dict.fromkeys(self.COUNTERS, 0)
        decoder = judge.checkpoint.decoder
        self.facts = []
        for key, text, more, value in (
            ("row_tokens", "Budget of a row, in tokens", {}, judge.row_tokens),
            ("token_flops", "FLOP of the linear layers per token", {}, decoder.flops_per_token),
            ("kernel", "The attention kernel in use", {"kernel": decoder.kernel_name}, 1),
        ):
            family = pb_utils.MetricFamily(
                name=f"judgestream_engine_{key}",
                description=text,
                kind=pb_utils.MetricFamily.GAUGE,
            )
            metric = family.Metric(labels=labels | more)
            metric.set(value)
            self.facts.append((family, metric))

    def show(self, judge):
        for key, metric in self.metrics.items():
            now = getattr(judge.work, key)
            metric.increment(now - self.shown[key])
            self.shown[key] = now


def _find_package(path):
    if path and Path(path).is_dir() and path not in sys.path:
        sys.path.insert(0, path)


def _column(request, name):
    """An input's rows as bytes, or None if the request does not have it."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else list(tensor.as_numpy().reshape(-1))


def _response(replies):
    from judgestream.core.errors import PromptTooLong, RejectedByJudge
    from judgestream.engine.wire import BAD_REQUEST, TOO_LONG

    for reply in replies:
        if isinstance(reply, PromptTooLong):
            return _error(TOO_LONG + str(reply), pb_utils.TritonError.INVALID_ARG)
        if isinstance(reply, RejectedByJudge):
            return _error(BAD_REQUEST + str(reply), pb_utils.TritonError.INVALID_ARG)
    columns = (
        np.array([[reply.text.encode()] for reply in replies], dtype=np.object_),
        np.array([[reply.finish_reason.encode()] for reply in replies], dtype=np.object_),
        np.array([[reply.input_tokens] for reply in replies], dtype=np.uint32),
        np.array([[reply.output_tokens] for reply in replies], dtype=np.uint32),
        np.array([reply.score_probs for reply in replies], dtype=np.float32),
    )
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, column) for name, column in zip(OUTPUTS, columns, strict=True)]
    )


def _error(message, code):
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
