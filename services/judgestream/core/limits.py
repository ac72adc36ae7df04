"""Size limits of every part of a record, and functions that cut, quote and shorten text.

Sizes are bytes of UTF-8 unless stated otherwise. Clients and workers refuse a request that exceeds a limit
(`checks`). Text of a judge that exceeds one is cut, with a mark. With these limits every verdict and every
dead letter fits its topic.
"""

from datetime import UTC, datetime

KIB = 1 << 10
MIB = 1 << 20

REQUEST = MIB
"""A whole encoded request. The topic accepts more, so that the worker can dead-letter a larger one."""
TEXT = MIB
"""Question, one answer, or the reference. All of them together must fit `REQUEST`."""
ID = 512
"""Ids of requests, candidates, labels and examples."""
SYSTEM = 512
"""Name of the system that produced an answer."""
ANNOTATOR = 512
MODE = 64
RELEASE = 256
EXPLANATION_TOKENS = 2048
CANDIDATES = 100
"""Number of candidates that a mode may take."""
IMAGES = 8
"""Number of images of one request, its candidates' included."""
IMAGE = 8 * MIB
"""The file of one image. Images inside a request must fit `REQUEST` too."""
IMAGES_TOGETHER = 16 * MIB
"""The files of all images of one request, fetched ones included."""
IMAGE_PIXELS = 25_000_000
"""Width times height of one image, checked before decoding: a small file can hold a huge picture."""
URL = 2048
TURNS = 256
"""Number of messages in one conversation under judgement."""
DISCUSSION = 16
"""Number of messages in a discussion with the judge, its judgement included."""
ROLE = 64
"""The role of a message."""
CRITERIA = 16
"""Number of criteria in a rubric: each is a prompt, or two with and without the reference."""
PAIRS = 0xFFFFFFFF
"""Pairs that a tournament may be asked for; one of fewer pairs judges all that it has."""
NUMBER = 1e9
"""Largest magnitude of a first-stage score and of a hybrid weight."""
PROMPTS = 32 * MIB
"""Characters of all prompts of one stage together: a mode of many passes repeats the question in each."""
METADATA_ENTRIES = 64
METADATA_KEY = 256
METADATA_VALUE = 16 * KIB
METADATA = 64 * KIB
"""All keys and values of one request's metadata together."""

REPLY = 32 * KIB
"""A judge's reply to one prompt, and an explanation, as published on the verdict."""
REPLIES = 128 * KIB
"""All replies on one verdict together."""
MESSAGE = 4 * KIB
"""An error message."""
REASON = KIB
"""Why a release is moved, or has failed. The state of the rollout has one or two for each release."""
DETAIL = 512
"""A short text of a judge or a server: why a reply has no reading, a finish reason."""
QUOTED = 120
"""A value quoted in an error message, in characters."""

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime(9999, 1, 1, tzinfo=UTC)
"""Bounds of event times. Arithmetic with windows and time zones cannot leave the calendar."""


def plausible(time: datetime) -> datetime | None:
    """The time, or None if it is not within `EARLIEST` and `LATEST`. It must have a time zone."""
    return time if EARLIEST <= time < LATEST else None


def clean(text: str) -> str:
    """The text with every lone surrogate, which UTF-8 cannot encode, replaced by a question mark."""
    return text.encode(errors="replace").decode()


def cut(text: str, limit: int) -> str:
    """The text in at most `limit` bytes of UTF-8. A cut text ends with `…[cut: N of M bytes]`.

    The mark counts towards the limit, so a text that was cut is not cut again.
    """
    if len(text) <= limit and text.isascii():
        return text
    raw = text.encode(errors="replace")
    if len(raw) <= limit:
        return raw.decode()
    room = max(0, limit - len(_mark(limit, len(raw)).encode()))
    kept = raw[:room].decode(errors="ignore")
    return kept + _mark(len(kept.encode()), len(raw))


def _mark(kept: int, of: int) -> str:
    return f"…[cut: {kept} of {of} bytes]"


def shortened(text: str, limit: int = QUOTED) -> str:
    """At most `limit` characters of a text, with its length, for an error message."""
    if len(text) <= limit:
        return clean(text)
    return f"{clean(text[:limit])}… ({len(text)} characters)"


def quoted(value: object) -> str:
    """A value for an error message: in quotes, control characters escaped, shortened.

    Only the start of a long text is read, so a value of megabytes is cheap to quote.
    """
    if isinstance(value, str):
        inner = repr(value[:QUOTED])
        more = len(value) - QUOTED
        return clean(inner) if more <= 0 else f"{clean(inner)}… ({len(value)} characters)"
    if isinstance(value, bytes):
        more = len(value) - QUOTED
        return repr(value[:QUOTED]) if more <= 0 else f"{value[:QUOTED]!r}… ({len(value)} bytes)"
    if isinstance(value, int) and value.bit_length() > 4 * QUOTED:
        return f"a number of {value.bit_length()} bits"
    return repr(value) if isinstance(value, int | float | None) else type(value).__name__
