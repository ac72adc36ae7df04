"""A local server that answers as Anthropic's messages API does."""

from typing import Any

from tests.backends.chat.endpoint import Sent

PATH = "/v1/messages"


def message(
    *blocks: dict[str, Any], stop_reason: str = "end_turn", usage: dict[str, int] | None = None
) -> dict[str, Any]:
    """A response body; the blocks as given."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "some-model",
        "content": list(blocks),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage or {"input_tokens": 300, "output_tokens": 7},
    }


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def thinking(words: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": words, "signature": "c2lnbmVk"}


def refusal(status: int, kind: str, words: str) -> Sent:
    """An error as the API sends it."""
    error = {"type": kind, "message": words}
    return status, {}, {"type": "error", "error": error, "request_id": "req_1"}


def prefers_longer(body: dict[str, Any]) -> Sent:
    """Checks the request as the API would, then grades the two answers by their length alone."""
    if "max_tokens" not in body:
        return refusal(400, "invalid_request_error", "max_tokens: Field required")
    if any(one["role"] not in ("user", "assistant") for one in body["messages"]):
        return refusal(
            400,
            "invalid_request_error",
            'messages: Unexpected role "system". The Messages API accepts a top-level `system` parameter',
        )
    unknown = sorted(set(body) & {"logprobs", "top_logprobs", "seed", "reasoning_effort"})
    if unknown:
        return refusal(
            400, "invalid_request_error", f"{unknown[0]}: Extra inputs are not permitted"
        )
    if "thinking" in body and body.get("temperature", 1) != 1:
        return refusal(
            400,
            "invalid_request_error",
            "`temperature` may only be set to 1 when thinking is enabled or in adaptive mode.",
        )
    user = body["messages"][-1]["content"]
    first, second = (user.split(f"===== answer {k} =====\n")[1].split("\n=====")[0] for k in (1, 2))
    scores = "9 2" if len(first) > len(second) else "2 9"
    return 200, {}, message(text(scores))
