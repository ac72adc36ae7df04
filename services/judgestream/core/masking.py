"""Masking of secrets in URLs, for text that people see."""

import re

MASK = "***"

_USER_PART = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]*://)(?P<user>[^\s'\"]*)@")
_PARAMETER = re.compile(
    r"(?P<name>[?&;#](?:[\w.-]*(?:pass|secret|token|key|sig|auth|credential)[\w.-]*|pwd)=)"
    r"[^&;#\s'\"]*",
    re.IGNORECASE,
)


def masked(text: str) -> str:
    """The text with the secrets of every URL in it replaced by `***`.

    `user:password@` keeps the user; `password@` and `:password@` keep nothing. Parameters named like a
    password, secret, token, key or signature lose their value. An unescaped password may contain `@`, `:`
    or `/`, so everything up to the last `@` of a word is treated as secret.
    """
    return _PARAMETER.sub(rf"\g<name>{MASK}", _USER_PART.sub(_user, text))


def _user(match: re.Match[str]) -> str:
    user, colon, _ = match["user"].partition(":")
    # Some servers take a single word before the @ as the user, others as a token, so it is hidden.
    shown = f"{user}:{MASK}" if colon and user else f":{MASK}" if colon else MASK
    return f"{match['scheme']}{shown}@"
