"""A recorded release's file: replies by the digest of the prompt that they answer."""

import hashlib
import json
from collections.abc import Iterable, Mapping

FILE = "recorded.jsonl"
"""Beside the model's code."""
FAMILY = "recorded"


def key_of(prompt: str) -> str:
    """SHA-256 of the prompt, in hex."""
    return hashlib.sha256(prompt.encode(errors="replace")).hexdigest()


def digest_of(template: str, replies: Mapping[str, str]) -> str:
    """The identity of a recording: of its template, and of every reply, in no particular order."""
    return hashlib.sha256(json.dumps([template, sorted(replies.items())]).encode()).hexdigest()


def written(replies: Mapping[str, str]) -> str:
    """One JSON line per reply, by key."""
    lines = (json.dumps({"key": key, "reply": reply}) for key, reply in sorted(replies.items()))
    return "".join(line + "\n" for line in lines)


def read(lines: Iterable[str]) -> dict[str, str]:
    """The inverse of `written`.

    Raises:
        ValueError: a line is not of that form; the message has its number.
    """
    replies: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
            key, reply = row["key"], row["reply"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise ValueError(f"line {number} is not a recorded reply") from None
        if not isinstance(key, str) or not isinstance(reply, str):
            raise ValueError(f"line {number} is not a recorded reply")
        replies[key] = reply
    return replies
