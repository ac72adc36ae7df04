"""The model of a jury: it only carries the record. The workers ask the members."""

from typing import Any

from judgestream.backends.model_arguments import ModelArguments
from judgestream.contracts.triton_interface import outgoing
from judgestream.core.errors import RejectedByJudge


class JuryModel:
    """Refuses every prompt."""

    def __init__(self, arguments: ModelArguments, pb_utils: Any) -> None:
        self._name, self._pb_utils = arguments.name, pb_utils

    def execute(self, requests: list[Any]) -> None:
        code, text = outgoing(
            RejectedByJudge(f"{self._name} is a jury and answers no prompts: ask its members")
        )
        error = self._pb_utils.TritonError(text, getattr(self._pb_utils.TritonError, code))
        final = self._pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL
        for request in requests:
            response = self._pb_utils.InferenceResponse(error=error)
            request.get_response_sender().send(response, flags=final)

    def finalize(self) -> None:
        pass
