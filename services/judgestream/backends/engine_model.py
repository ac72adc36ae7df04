"""Our own engine as a Triton model."""

import functools
from typing import Any

import torch
import transformers

from judgestream.backends.instance import Setting, start
from judgestream.backends.model_arguments import ModelArguments
from judgestream.backends.quantisation_check import QuantisationCheck
from judgestream.backends.round_robin import RoundRobin
from judgestream.backends.throughput import Throughput, peak_flops
from judgestream.backends.triton_metrics import Counters, LazyGauges
from judgestream.backends.triton_requests import answer, answering
from judgestream.core.probe import warm_up_prompts
from judgestream.core.release_parameters import release_from
from judgestream.core.templates.base import Template
from judgestream.core.types import Reply
from judgestream.template_files import template_of

MAX_BATCHES = 4
"""Batches of a decoupled judge in progress at once."""

FINISH_S = 5
"""Seconds that an unloaded judge has to finish its replies."""

COUNTERS = {
    "prompts": "Prompts judged",
    "prompt_tokens": "Tokens of these prompts, before packing",
    "run_tokens": "Tokens run: common prefixes once, score branches added",
    "rows": "Packed rows, each one forward",
    "written": "Tokens decoded one by one",
    "seconds": "Seconds spent computing",
}

GAUGES = {
    "fill_ratio": "Tokens of the last rows over their budget",
    "tokens_per_second": "Tokens run per second of the last rows",
    "mfu_ratio": "FLOP/s of the linear layers in the last rows over the devices' bf16 peak",
    "row_tokens": "Budget of a row, in tokens",
    "token_flops": "FLOP of the linear layers per token",  # nosec B105 - not a password
    "devices": "Devices that share the weights",
    "float8_agreement_ratio": "Share of verdicts that float8 did not change",
    "int8_agreement_ratio": "Share of verdicts that int8 did not change",
    "kernel_info": "1, with the attention kernel in use",
}


class EngineModel:
    """Loads, checks and warms up the judge, then answers batches.

    Raises:
        Exception: Triton reports whatever the constructor raises as the error of `load_model`.
    """

    def __init__(self, arguments: ModelArguments, pb_utils: Any) -> None:
        self._name = arguments.name
        self._pb_utils = pb_utils
        parameters = arguments.parameters
        if int(parameters["threads"]) > 0:
            torch.set_num_threads(int(parameters["threads"]))
        setting = Setting.of(parameters, kind=arguments.kind, device_id=arguments.device_id)
        transformers.utils.logging.disable_progress_bar()
        self._judge, check = start(arguments.folder / "checkpoint", setting)
        self._check_digest(parameters["checkpoint_digest"], arguments)
        self._warm_up(template_of(release_from(self._name, parameters)))
        self._counters = Counters("judgestream_engine", COUNTERS, arguments.labels, pb_utils)
        self._gauges = LazyGauges("judgestream_engine", GAUGES, arguments.labels, pb_utils)
        self._set_constants(setting.dtype, check)
        decoder = self._judge.checkpoint.decoder
        self._throughput = Throughput(
            self._judge, peak_flops(decoder, float(parameters["peak_tflops"]))
        )
        self._batches: RoundRobin | None = None
        if arguments.decoupled:
            self._batches = RoundRobin(
                limit=MAX_BATCHES, between=self._count, failed=self._log_failure
            )
        pb_utils.Logger.log_info(
            f"{self._name}: {self._judge.checkpoint.manifest.name} on {', '.join(setting.devices)},"
            f" {setting.dtype} ({decoder.dtype}), attention {decoder.kernel_name},"
            f" rows of {self._judge.row_tokens} tokens, {torch.get_num_threads()} threads"
            + (f"; {check} as before quantisation" if check else "")
        )

    def execute(self, requests: list[Any]) -> None:
        """Answer a batch. A decoupled model runs batches in turns: scores do not wait for explanations.

        Adding a batch blocks while `MAX_BATCHES` are in progress. Requests then queue in Triton, which has
        the limits and the timeouts.
        """
        if self._batches is not None:
            stream = functools.partial(self._judge.stream, partial=True)
            self._batches.add(answering(requests, stream, self._pb_utils, self._name))
            return
        answer(requests, self._judge.stream, self._pb_utils, self._name)
        self._count()

    def finalize(self) -> None:
        if self._batches is not None and not self._batches.close(FINISH_S):
            self._pb_utils.Logger.log_error(
                f"{self._name}: replies unfinished after {FINISH_S} s are lost"
            )

    def _count(self) -> None:
        self._counters.update(self._judge.work)
        self._gauges.set(self._throughput.rates())

    def _log_failure(self, error: BaseException) -> None:
        self._pb_utils.Logger.log_error(f"{self._name}: {error!r}")

    def _set_constants(self, dtype: str, check: QuantisationCheck | None) -> None:
        """Set the gauges that never change."""
        judge, decoder = self._judge, self._judge.checkpoint.decoder
        constants: dict[str, float] = {
            "row_tokens": judge.row_tokens,
            "token_flops": decoder.flops_per_token,
            "devices": decoder.shards,
        }
        if check is not None:
            constants[f"{dtype}_agreement_ratio"] = check.share
        self._gauges.set(constants)
        self._gauges.set({"kernel_info": 1}, kernel=decoder.kernel_name)

    def _check_digest(self, expected: str, arguments: ModelArguments) -> None:
        digest = self._judge.checkpoint.digest
        if digest != expected:
            raise self._pb_utils.TritonModelException(
                f"{self._name}: the checkpoint in {arguments.folder} is {digest[:8]}, expected"
                f" {expected[:8]}: install the release again"
            )

    def _warm_up(self, template: Template) -> None:
        """Judge one prompt of each mode: builds the score trees, and fails here rather than later."""
        for reply in self._judge.read(warm_up_prompts(template)):
            if not isinstance(reply, Reply):
                raise self._pb_utils.TritonModelException(f"{self._name}: warm-up failed: {reply}")
