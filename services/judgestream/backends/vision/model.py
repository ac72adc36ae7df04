"""A judge that sees images as a Triton model."""

from typing import Any

import torch
import transformers

from judgestream.backends.instance import loaded_as
from judgestream.backends.model_arguments import ModelArguments
from judgestream.backends.triton_metrics import Counters
from judgestream.backends.triton_requests import answer
from judgestream.backends.vision.checkpoint import load
from judgestream.backends.vision.judge import VisionJudge
from judgestream.backends.vision.warm_up import warm_up_prompts
from judgestream.checkpoints.manifest import read_manifest, verify
from judgestream.core.types import Reply

COUNTERS = {
    "prompts": "Prompts judged",
    "prompt_tokens": "Tokens of these prompts, images included",
    "run_tokens": "Tokens run: padding and score branches added",
    "rows": "Batches, each one forward",
    "written": "Tokens decoded one by one",
    "seconds": "Seconds spent computing",
}


class VisionModel:
    """Loads, checks and warms up the judge, then answers batches.

    Raises:
        Exception: Triton reports whatever the constructor raises as the error of `load_model`.
    """

    def __init__(self, arguments: ModelArguments, pb_utils: Any) -> None:
        self._name, self._pb_utils = arguments.name, pb_utils
        parameters = arguments.parameters
        if int(parameters["threads"]) > 0:
            torch.set_num_threads(int(parameters["threads"]))
        transformers.utils.logging.disable_progress_bar()
        folder = arguments.folder / "checkpoint"
        manifest = read_manifest(folder)
        verify(folder, manifest)
        if manifest.digest != parameters["checkpoint_digest"]:
            raise pb_utils.TritonModelException(
                f"{self._name}: the checkpoint in {arguments.folder} is {manifest.short}, expected"
                f" {parameters['checkpoint_digest'][:8]}: install the release again"
            )
        device = f"cuda:{arguments.device_id}" if arguments.kind == "GPU" else "cpu"
        checkpoint = load(folder, device, loaded_as(parameters["dtype"]), manifest)
        self._judge = VisionJudge(checkpoint)
        for reply in self._judge.read(warm_up_prompts(manifest.template_id)):
            if not isinstance(reply, Reply):
                raise pb_utils.TritonModelException(f"{self._name}: warm-up failed: {reply}")
        self._counters = Counters("judgestream_vision", COUNTERS, arguments.labels, pb_utils)
        pb_utils.Logger.log_info(
            f"{self._name}: {manifest.name} on {device}, {checkpoint.model.dtype},"
            f" {checkpoint.image_tokens} tokens per image, {torch.get_num_threads()} threads"
        )

    def execute(self, requests: list[Any]) -> None:
        answer(requests, self._judge.stream, self._pb_utils, self._name)
        self._counters.update(self._judge.work)

    def finalize(self) -> None:
        """Nothing is in progress between two batches."""
