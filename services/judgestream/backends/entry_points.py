"""The judges that Triton's Python backend runs, one function per folder of `triton_models/`.

Each imports its judge when it is called: torch must not be imported before `wait_passively`, and a judge
behind an endpoint needs no torch.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from judgestream.backends.model_arguments import ModelArguments
from judgestream.engine.openmp import wait_passively


class TritonModel(Protocol):
    """What a `TritonPythonModel` forwards to."""

    def execute(self, requests: list[Any]) -> None: ...

    def finalize(self) -> None: ...


def judgelm(args: Mapping[str, str], pb_utils: Any) -> TritonModel:
    """Our own engine."""
    wait_passively()
    from judgestream.backends.engine_model import EngineModel

    return EngineModel(ModelArguments.of(args), pb_utils)


def judgelm_vllm(args: Mapping[str, str], pb_utils: Any) -> TritonModel:
    """A model in front of Triton's vLLM backend."""
    from judgestream.backends.vllm_model import VllmModel

    return VllmModel(ModelArguments.of(args), pb_utils)


def openai_judge(args: Mapping[str, str], pb_utils: Any) -> TritonModel:
    """A model in front of an OpenAI-compatible endpoint."""
    from judgestream.backends.endpoint_model import EndpointModel

    return EndpointModel(ModelArguments.of(args), pb_utils)


def jury(args: Mapping[str, str], pb_utils: Any) -> TritonModel:
    """The record of a jury."""
    from judgestream.backends.jury_model import JuryModel

    return JuryModel(ModelArguments.of(args), pb_utils)


def recorded(args: Mapping[str, str], pb_utils: Any) -> TritonModel:
    """Published judgements, repeated."""
    from judgestream.backends.recorded_model import RecordedModel

    return RecordedModel(ModelArguments.of(args), pb_utils)


def vision(args: Mapping[str, str], pb_utils: Any) -> TritonModel:
    """A judge that sees images, computed by transformers."""
    wait_passively()
    from judgestream.backends.vision.model import VisionModel

    return VisionModel(ModelArguments.of(args), pb_utils)
