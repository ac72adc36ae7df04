"""What every judge is asked, whoever computes it. No torch here."""

from dataclasses import dataclass

from judgestream.core.templates.base import Grammar


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One rendered prompt, and how its explanation is to be written. Scores are never sampled.

    max_tokens   bounds the explanation after the score line; 0: scores only
    stop         texts that end the explanation; they are not part of it
    temperature  0: the most probable token each time
    seed         of the draws where the temperature is above 0
    """

    text: str
    grammar: Grammar
    max_tokens: int = 0
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
