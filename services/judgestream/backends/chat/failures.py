"""Classification of a chat endpoint's error responses, by status and text.

The first matching row of `TABLE` counts. Providers have no common codes, so the text is searched: `code`,
`type` and `message` of the error, in any letter case. A `ReleaseError` is raised only if the known good
prompt fails, too; see `proof`.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from judgestream.core import limits
from judgestream.core.errors import (
    JudgeOverloaded,
    JudgestreamError,
    JudgeUnavailable,
    KeyRefused,
    ModelUnknown,
    PromptTooLong,
    QuotaExhausted,
    RejectedByJudge,
    RequestsRefused,
)

LONGEST_RETRY_AFTER_S = 300.0
MAX_WORDS = 400
_TAG = re.compile(r"<script.*?</script>|<style.*?</style>|<[^>]{0,200}>", re.S | re.I)


@dataclass(frozen=True, kw_only=True, slots=True)
class Refusal:
    """A response that is not a success.

    words      the provider's message, shortened
    searched   the same with its codes, in lower case
    param      the option that the provider names; "" if none
    after_s    seconds to wait before a retry, as the provider asks; 0 if it does not
    """

    status: int
    words: str
    searched: str
    param: str = ""
    after_s: float = 0.0

    def __str__(self) -> str:
        return f"{self.status}: {self.words}" if self.words else str(self.status)


def refusal(
    status: int, headers: Mapping[str, str], raw: bytes, *, secret: str, now: datetime
) -> Refusal:
    """Parse an error response. The secret is removed from everything that the provider repeats."""
    error = _error(raw)
    words = _clean(_message(error) if error is not None else _text(raw), secret)
    codes = ""
    param = ""
    if isinstance(error, Mapping):
        codes = " ".join(str(error.get(name) or "")[:100] for name in ("code", "type", "status"))
        param = str(error.get("param") or "")[:100]
    if 300 <= status < 400:
        target = _clean(headers.get("location", ""), secret)
        words = f"redirects to {target}; redirects are not followed: give the final URL"
    return Refusal(
        status=status,
        words=words,
        searched=f"{codes} {words}".lower(),
        param=param,
        after_s=retry_after(headers.get("retry-after", ""), now),
    )


def retry_after(value: str, now: datetime) -> float:
    """Seconds to wait, from a `Retry-After` in seconds or as a date; at most `LONGEST_RETRY_AFTER_S`."""
    try:
        seconds = float(value)
    except ValueError:
        try:
            when = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            return 0.0
        when = when if when.tzinfo is not None else when.replace(tzinfo=UTC)
        seconds = (when - now).total_seconds()
    return min(LONGEST_RETRY_AFTER_S, seconds) if seconds > 0 else 0.0


ANY = frozenset(range(300, 600))
CLIENT = frozenset({400, 403, 404, 406, 413, 415, 422, 429, 451, 500})

TOO_LONG = (
    "context.length|context.window|context.size|maximum context|max_model_len|maximum model length"
    "|prompt is too long|input is too long|too many (input )?tokens|string_above_max_length"
    "|reduce the length|exceeds? the (available |maximum )?(context|number of tokens|token)"
    "|input.{0,20}exceeds? .{0,20}token|request too large for"
)
POLICY = (
    "content.?filter|content.?policy|content management policy|responsible.?ai|moderation|flagged"
    "|data.?inspection|inappropriate content|jailbreak|safety (system|filter|policy|reasons)"
    "|prohibited content|usage polic"
)
QUOTA = (
    "insufficient.?quota|exceeded your current quota|billing|credit balance|out of credits?|no credits?"
    "|insufficient.?(balance|credits?|funds)|payment|spend(ing)? (limit|cap)|quota.?exceeded"
    "|account.{0,30}(suspended|deactivated|disabled)"
)
KEY = (
    "invalid.?api.?key|incorrect api key|api key not valid|api.?key.{0,30}(invalid|expired|missing|required)"
    "|unauthori[sz]ed|authentication"
)
MODEL = (
    "model.?not.?found|model_not_supported|unknown model|no such model|invalid model|not a valid model"
    "|model.{0,200}(does not exist|not found|not available|not supported|is not served|decommissioned)"
    "|deploymentnotfound|no endpoints found"
)

# statuses, pattern in the text ("" for anything), class of error
TABLE: tuple[tuple[frozenset[int], str, type[JudgestreamError]], ...] = (
    (frozenset({413}), "", PromptTooLong),
    (CLIENT, TOO_LONG, PromptTooLong),
    (frozenset({400, 403, 422, 451, 500}), POLICY, RejectedByJudge),
    (frozenset({402}), "", QuotaExhausted),
    (frozenset({400, 403, 429}), QUOTA, QuotaExhausted),
    (frozenset({400, 403, 404, 422}), MODEL, ModelUnknown),
    (frozenset({401, 403, 407}), "", KeyRefused),
    (frozenset({400}), KEY, KeyRefused),
    (frozenset({404, 410}), "", ModelUnknown),
    (frozenset({429}), "", JudgeOverloaded),
    (frozenset({503, 529}), "overload|capacity|too many|rate", JudgeOverloaded),
    (frozenset({408, 409, 425}), "", JudgeUnavailable),
    (frozenset({501, 505, 511}), "", RequestsRefused),
    (frozenset(range(500, 600)), "", JudgeUnavailable),
    # other 400s, 405, 415, redirects: may concern every request, or this one only
    (ANY, "", RequestsRefused),
)
_COMPILED = tuple((statuses, re.compile(words), error) for statuses, words, error in TABLE)


def classify(refused: Refusal) -> type[JudgestreamError]:
    """The class of error that the response looks like."""
    return next(
        (
            error
            for statuses, words, error in _COMPILED
            if refused.status in statuses and words.search(refused.searched)
        ),
        RequestsRefused,
    )


def _error(raw: bytes) -> Any:
    """The error object, text or list in a JSON body; None if there is none."""
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    if isinstance(body, list) and body:
        body = body[0]
    if not isinstance(body, Mapping):
        return None
    for name in ("error", "errors", "detail", "message"):
        if body.get(name):
            return body if name == "message" else body[name]
    return None


def _message(error: Any) -> str:
    if isinstance(error, Mapping):
        inner = error.get("message") or error.get("msg") or error.get("detail")
        return inner if isinstance(inner, str) else json.dumps(error)
    if isinstance(error, list):
        return "; ".join(_message(one) for one in error[:3])
    return str(error)


def _text(raw: bytes) -> str:
    return _TAG.sub(" ", raw[:20_000].decode(errors="replace"))


def _clean(text: str, secret: str) -> str:
    if secret:
        text = text.replace(secret, "[the key]")
    plain = "".join(c if c.isprintable() else " " for c in text[:10_000])
    return limits.shortened(" ".join(plain.split()), MAX_WORDS)
