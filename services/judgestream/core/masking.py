"""Secrets in text that people see: passwords and keys of URLs, masked in one place."""

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

    `user:password@` keeps the user, `password@` and `:password@` keep nothing, and parameters whose name
    speaks of a password, secret, token, key or signature lose their value. A password may itself hold an
    `@`, a `:` or a `/`, as unescaped ones do: everything up to the last `@` of a word counts as secret.
    """
    return _PARAMETER.sub(rf"\g<name>{MASK}", _USER_PART.sub(_user, text))


def _user(found: re.Match[str]) -> str:
    user, colon, _ = found["user"].partition(":")
    # A lone word before the @ is a user for some servers and a token for others: nothing of it is shown.
    shown = f"{user}:{MASK}" if colon and user else f":{MASK}" if colon else MASK
    return f"{found['scheme']}{shown}@"
