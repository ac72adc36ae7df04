"""Values of foreign files in messages."""

LONGEST = 80


def shown(value: object) -> str:
    """The value as ASCII on one line, cut to `LONGEST` characters."""
    text = ascii(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."
