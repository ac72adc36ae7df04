"""Masking of secrets in URLs, for text that people see."""

import re

MASK = "***"

_WORD = re.compile(r"[^\s'\"]+")
_PARAMETER = re.compile(
    r"(?P<name>[?&;#](?:(?=[\w.-]*(?:pass|secret|token|key|sig|auth|credential))[\w.-]+|pwd)=)"
    r"[^&;#\s'\"]*",
    re.IGNORECASE,
)
"""The time that both patterns take grows with the text's length only: strangers write log lines, too."""


def masked(text: str) -> str:
    """The text with the secrets of every URL in it replaced by `***`.

    `user:password@` keeps the user; `password@` and `:password@` keep nothing. Parameters named like a
    password, secret, token, key or signature lose their value. An unescaped password may contain `@`, `:`
    or `/`, so everything up to the last `@` of a word is treated as secret.
    """
    return _PARAMETER.sub(rf"\g<name>{MASK}", _WORD.sub(_without_login, text))


def _without_login(match: re.Match[str]) -> str:
    scheme, slashes, rest = match[0].partition("://")
    login, at, place = rest.rpartition("@")
    if not slashes or not at:
        return match[0]
    user, colon, _ = login.partition(":")
    # Some servers take a single word before the @ as the user, others as a token, so it is hidden.
    shown = f"{user}:{MASK}" if colon and user else f":{MASK}" if colon else MASK
    return f"{scheme}://{shown}@{place}"
