"""A model that repeats published judgements: the reply that was recorded for a prompt, or none.

It computes nothing. So a published judge goes through the same workers, orders and rules as any other, and
its published figures come out at the end.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

from judgestream.backends.label_logprobs import certain
from judgestream.backends.model_arguments import ModelArguments
from judgestream.backends.triton_requests import answer
from judgestream.contracts.recording import FILE, digest_of, key_of, read
from judgestream.core.errors import ConfigurationError, JudgestreamError, RejectedByJudge
from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply


class RecordedModel:
    """Answers every prompt from its file; a prompt that is not in it is refused."""

    def __init__(self, arguments: ModelArguments, pb_utils: Any) -> None:
        """
        Raises:
            ConfigurationError: the file is missing or was changed after its installation.
        """
        self._name, self._pb_utils = arguments.name, pb_utils
        path = arguments.folder / FILE
        try:
            with path.open(encoding="utf-8") as file:
                self._replies = read(file)
        except (OSError, ValueError) as error:
            raise ConfigurationError(f"{path}: {error}: install the release again") from error
        parameters = arguments.parameters
        template = parameters["template_id"] + parameters.get("template", "")
        if digest_of(template, self._replies) != parameters["checkpoint_digest"]:
            raise ConfigurationError(
                f"{path} was changed after the installation: install the release again"
            )

    def execute(self, requests: list[Any]) -> None:
        answer(requests, self._stream, self._pb_utils, self._name)

    def finalize(self) -> None:
        pass

    def _stream(
        self, prompts: Sequence[Prompt], wanted: Callable[[int], bool]
    ) -> Iterator[tuple[int, Reply | JudgestreamError]]:
        for index, prompt in enumerate(prompts):
            yield index, self._reply(prompt)

    def _reply(self, prompt: Prompt) -> Reply | JudgestreamError:
        text = self._replies.get(key_of(prompt.text))
        if text is None:
            return RejectedByJudge(
                f"{self._name} has no recorded judgement of this prompt: its texts, their order or its"
                " reference are not those of the recording"
            )
        return Reply(text=text, score_probs=certain(text, prompt.grammar), finish_reason="stop")
