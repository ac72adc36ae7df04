"""A judge that sees images, or an image scorer, as a Triton model."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
import transformers

from judgestream.backends.instance import loaded_as
from judgestream.backends.model_arguments import ModelArguments
from judgestream.backends.triton_metrics import Counters
from judgestream.backends.triton_requests import answer
from judgestream.backends.vision.checkpoint import load
from judgestream.backends.vision.judge import VisionJudge
from judgestream.backends.vision.scorer import ImageScorer
from judgestream.backends.vision.scorer_checkpoint import load_scorer
from judgestream.backends.vision.warm_up import warm_up_prompts
from judgestream.checkpoints.families import SCORER
from judgestream.checkpoints.manifest import Manifest, read_manifest, verify
from judgestream.core.errors import JudgestreamError
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply
from judgestream.engine.work import Work

COUNTERS = {
    "prompts": "Prompts judged",
    "prompt_tokens": "Tokens of these prompts, images included",
    "run_tokens": "Tokens run: padding and score branches added",
    "rows": "Batches, each one forward",
    "written": "Tokens decoded one by one",
    "seconds": "Seconds spent computing",
}


class Judge(Protocol):
    """What answers the prompts."""

    work: Work

    def stream(
        self, prompts: Sequence[Prompt], wanted: Callable[[int], bool] = ...
    ) -> Iterator[tuple[int, Reply | JudgestreamError]]: ...


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
        dtype = loaded_as(parameters["dtype"])
        self._judge, about = _loaded(folder, device, dtype, manifest)
        for _, reply in self._judge.stream(warm_up_prompts(manifest.template_id)):
            if not isinstance(reply, Reply):
                raise pb_utils.TritonModelException(f"{self._name}: warm-up failed: {reply}")
        self._counters = Counters("judgestream_vision", COUNTERS, arguments.labels, pb_utils)
        pb_utils.Logger.log_info(
            f"{self._name}: {manifest.name} on {device}, {about}, {torch.get_num_threads()} threads"
        )

    def execute(self, requests: list[Any]) -> None:
        answer(requests, self._judge.stream, self._pb_utils, self._name)
        self._counters.update(self._judge.work)

    def finalize(self) -> None:
        """Nothing is in progress between two batches."""


def _loaded(
    folder: Path, device: str, dtype: torch.dtype | None, manifest: Manifest
) -> tuple[Judge, str]:
    """The judge of a checkpoint, and what is worth a line in the log."""
    if manifest.family == SCORER:
        scorer = load_scorer(folder, device, dtype, manifest)
        return ImageScorer(scorer), f"{scorer.model.dtype}, {scorer.factor:.4g} times the cosine"
    checkpoint = load(folder, device, dtype, manifest)
    about = f"{checkpoint.model.dtype}, {checkpoint.image_tokens} tokens per image"
    return VisionJudge(checkpoint), about
