"""The limit of a reply in tokens."""

from judgestream.core.prompt import Prompt

LINE_TOKENS = 16
"""Tokens for the score line, on top of the explanation's budget. No stop text is sent: some models begin with
an empty line or with their thoughts, some endpoints refuse it, and the line is cut on our side anyway."""


def reply_tokens(prompt: Prompt) -> int:
    """The score line, and the explanation or the reasoning."""
    reasoning = prompt.reasoning
    return LINE_TOKENS + (prompt.max_tokens if reasoning is None else reasoning.max_tokens)
