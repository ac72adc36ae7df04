"""Replies kept for prompts that are sent again because another prompt of their request failed."""

import hashlib
from collections import OrderedDict
from math import inf
from time import monotonic

from judgestream.core.prompt import Prompt
from judgestream.core.types import Reply

MAX_KEPT = 2048


class KeptReplies:
    """The latest replies, each for `reuse_s` seconds; none for 0."""

    def __init__(self, reuse_s: float) -> None:
        self._reuse_s = reuse_s
        self._kept: OrderedDict[bytes, tuple[float, Reply]] = OrderedDict()

    def keep(self, prompt: Prompt, reply: Reply) -> None:
        if not self._reuse_s:
            return
        self._kept[_key(prompt)] = (monotonic(), reply)
        while len(self._kept) > MAX_KEPT:
            self._kept.popitem(last=False)

    def get(self, prompt: Prompt) -> Reply | None:
        if not self._reuse_s:
            return None
        kept_at, reply = self._kept.get(_key(prompt), (-inf, None))
        return None if monotonic() - kept_at > self._reuse_s else reply


def _key(prompt: Prompt) -> bytes:
    identity = repr((prompt.text, prompt.grammar, prompt.max_tokens))
    return hashlib.sha256(identity.encode(errors="surrogatepass")).digest()
