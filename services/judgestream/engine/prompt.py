"""What every judge is asked, whoever computes it. No torch here."""

from dataclasses import dataclass

from judgestream.core.templates.base import Grammar


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One rendered prompt. `max_tokens` bounds the explanation after the score line; 0: scores only."""

    text: str
    grammar: Grammar
    max_tokens: int = 0
