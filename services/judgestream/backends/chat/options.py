"""Options of a request, and what to do where an endpoint refuses one.

An option that only affects generation is replaced or left out where the endpoint does not support it: the
same prompt is sent again, and the fix is kept if it helps. Options that change the meaning of a reading
(`logprobs`) are never left out: the release pauses, and the error says how to install it instead.
"""

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass
from typing import Any

from judgestream.backends.chat.failures import Refusal


@dataclass(frozen=True, kw_only=True, slots=True)
class Fix:
    """What to do about a refused option: another name for it, or "" to leave it out."""

    option: str
    instead: str = ""

    def __str__(self) -> str:
        return f"asked with {self.instead}" if self.instead else f"asked without {self.option}"


FIXES = (
    Fix(option="max_tokens", instead="max_completion_tokens"),
    # thinking models have a fixed temperature
    Fix(option="temperature"),
    # without it the same reasonings cannot be drawn again
    Fix(option="seed"),
)

HINTS = {
    "logprobs": "; it gives no log-probabilities: install the release with --top-logprobs 0, or fewer",
}


def fixed(body: dict[str, Any], fixes: Set[Fix]) -> dict[str, Any]:
    """The body of a request with the fixes applied."""
    for fix in fixes:
        if fix.option not in body:
            continue
        value = body.pop(fix.option)
        if fix.instead:
            body[fix.instead] = value
    return body


def remedy(refused: Refusal, body: Mapping[str, Any]) -> Fix | None:
    """The fix for an option of this body that the error names; None if there is none."""
    if refused.status not in (400, 422):
        return None
    return next((fix for fix in FIXES if fix.option in body and names(refused, fix.option)), None)


def hint(refused: Refusal) -> str:
    """What the operator can do about an option that is never left out; "" if nothing."""
    return next((text for option, text in HINTS.items() if option in refused.searched), "")


def names(refused: Refusal, option: str) -> bool:
    """Whether the error names the option, as its parameter or in its words."""
    return refused.param == option or bool(re.search(rf"\b{option}\b", refused.searched))
