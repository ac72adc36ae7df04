"""A local HTTP server that speaks the chat completions protocol, faults included."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from math import log
from typing import Any

Sent = tuple[int, dict[str, str], Any]
"""Status, headers and JSON body of a response."""

Answer = Callable[[dict[str, Any]], Sent]
"""A request's JSON body -> status, headers, and the body to send (text as it is, else as JSON)."""


class Endpoint:
    """`requests` are the bodies seen, `headers` their headers with names in lower case, `keys` those of
    Authorization; `answer` may be replaced."""

    def __init__(self, answer: Answer, *, path: str = "/v1/chat/completions") -> None:
        self.answer = answer
        self.headers: list[dict[str, str]] = []
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.most_at_once = 0
        self._now = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                with outer._lock:
                    outer.requests.append(body)
                    outer.headers.append({k.lower(): v for k, v in self.headers.items()})
                    outer.keys.append(self.headers.get("authorization", ""))
                    outer._now += 1
                    outer.most_at_once = max(outer.most_at_once, outer._now)
                try:
                    path_is_right = self.path == path
                    status, headers, data = (
                        outer.answer(body) if path_is_right else (404, {}, "no such path")
                    )
                finally:
                    with outer._lock:
                        outer._now -= 1
                if status == 0:  # the connection breaks
                    self.close_connection = True
                    return
                text = (data if isinstance(data, str) else json.dumps(data)).encode()
                self.send_response(status)
                for name, value in {**headers, "content-length": str(len(text))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, *_: Any) -> None:
                pass

        class Server(ThreadingHTTPServer):
            def handle_error(self, *_: Any) -> None:
                """A client that gave up and left is what some tests are about."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def start(self) -> None:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@contextmanager
def serving(answer: Answer, *, path: str = "/v1/chat/completions") -> Iterator[Endpoint]:
    endpoint = Endpoint(answer, path=path)
    endpoint.start()
    try:
        yield endpoint
    finally:
        endpoint.stop()


def completion(
    tokens: list[tuple[str, dict[str, float]]] | str, *, finish: str = "stop"
) -> dict[str, Any]:
    """A response body; from tokens with their alternatives' probabilities, or of text alone."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": finish}
    if isinstance(tokens, str):
        choice |= {"message": {"role": "assistant", "content": tokens}, "logprobs": None}
    else:
        content = [
            {
                "token": token,
                "logprob": log(others[token]),
                "top_logprobs": [{"token": t, "logprob": log(p)} for t, p in others.items()],
            }
            for token, others in tokens
        ]
        text = "".join(token for token, _ in tokens)
        choice |= {
            "message": {"role": "assistant", "content": text},
            "logprobs": {"content": content},
        }
    return {"choices": [choice], "usage": {"prompt_tokens": 321, "completion_tokens": 4}}


def prefers_longer(body: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
    """Grades the two answers by their length alone, 9 to 2, quite sure of it."""
    user = body["messages"][-1]["content"]
    first, second = (user.split(f"===== answer {k} =====\n")[1].split("\n=====")[0] for k in (1, 2))
    high, low = {"9": 0.8, "8": 0.2}, {"2": 0.7, "3": 0.3}
    one, two = (high, low) if len(first) > len(second) else (low, high)
    if len(first) == len(second):
        one = two = high
    first, second = (max(options, key=options.__getitem__) for options in (one, two))
    tokens = [(first, one), (" ", {" ": 1.0}), (second, two)]
    if body["max_tokens"] > 20:
        tokens += [("\n", {"\n": 1.0}), ("Because of its length.", {"Because of its length.": 1.0})]
    return 200, {}, completion(tokens)
