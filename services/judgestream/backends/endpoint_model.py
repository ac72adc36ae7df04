"""A model in front of an OpenAI-compatible endpoint."""

import asyncio
import os
import threading
from concurrent.futures import Future, wait
from typing import Any

from judgestream.backends.chat.completions import ChatJudge
from judgestream.backends.chat.endpoint import Endpoint
from judgestream.backends.chat.request_options import RequestOptions
from judgestream.backends.model_arguments import ModelArguments
from judgestream.backends.triton_metrics import Counters
from judgestream.backends.triton_requests import answer_alone
from judgestream.core.costs import Terms

COUNTERS = {
    "prompts": "Prompts judged",
    "input_tokens": "Prompt tokens, as billed by the endpoint",
    "output_tokens": "Generated tokens, as billed by the endpoint",
    "retries": "Retries after transient failures",
    "probes": "Known good prompts sent, to tell a prompt's failure from the endpoint's",
    "reused": "Prompts answered from a reply that is paid for already",
    "cost": "Cost at the configured prices",
}

PATIENCE_S = 1.0
"""Transient failures are returned after this long, so that workers can report them and wait themselves."""

REUSE_S = 600.0
"""A paid reply is reused when its prompt is sent again after another prompt of its request failed."""

FINISH_S = 5
"""Seconds that an unloaded model waits for its endpoint."""


class EndpointModel:
    """Answers each request by itself, on an event loop in its own thread."""

    def __init__(self, arguments: ModelArguments, pb_utils: Any) -> None:
        parameters = arguments.parameters
        self._name, self._pb_utils = arguments.name, pb_utils
        concurrency = int(parameters["concurrency"])
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="endpoint", daemon=True)
        # limits the requests at the endpoint; others queue in Triton, which has the limits and the timeouts
        self._slots = threading.BoundedSemaphore(concurrency)
        self._judge = ChatJudge(
            Endpoint(
                url=parameters["endpoint"],
                model=parameters["endpoint_model"],
                key=self._key(parameters["key_variable"]),
                concurrency=concurrency,
                top_logprobs=int(parameters["top_logprobs"]),
                thinking_tokens=int(parameters.get("thinking_tokens", "0")),
                deadline_s=float(parameters["deadline_s"]),
                patience_s=PATIENCE_S,
                prove=True,
                reuse_s=REUSE_S,
                options=RequestOptions.of_json(parameters.get("request_options", "")),
                prices=Terms.of(parameters).prices,
            ),
            say=lambda text: pb_utils.Logger.log_warn(f"{self._name}: {text}"),
        )
        self._counters = Counters("judgestream_endpoint", COUNTERS, arguments.labels, pb_utils)
        self._in_progress: set[Future[None]] = set()
        self._thread.start()

    def execute(self, requests: list[Any]) -> None:
        """Start each request and return: a request that waits for its endpoint delays no other."""
        for request in requests:
            self._slots.acquire()
            self._in_progress.add(
                asyncio.run_coroutine_threadsafe(self._answer(request), self._loop)
            )
        self._in_progress = {future for future in self._in_progress if not future.done()}

    def finalize(self) -> None:
        wait(self._in_progress, timeout=FINISH_S)
        asyncio.run_coroutine_threadsafe(self._judge.close(), self._loop).result(FINISH_S)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(FINISH_S)

    async def _answer(self, request: Any) -> None:
        try:
            await answer_alone(request, self._judge.read, self._pb_utils, self._name)
            self._counters.update(self._judge.usage)
        finally:
            self._slots.release()

    def _key(self, variable: str) -> str:
        """The endpoint's key, which is never shown."""
        if not variable:
            return ""
        key = os.environ.get(variable, "").strip()
        if not key:
            raise self._pb_utils.TritonModelException(
                f"{self._name}: the environment variable {variable} is not set: set it for Triton's process,"
                " or install the release without a key"
            )
        if not (key.isascii() and key.isprintable()):
            raise self._pb_utils.TritonModelException(
                f"{self._name}: the environment variable {variable} is not a valid key: it has characters"
                " other than printable ASCII"
            )
        return key
