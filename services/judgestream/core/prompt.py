"""The input of every judge, whichever backend computes it. No torch."""

from dataclasses import dataclass

from judgestream.core.templates.base import Grammar


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One rendered prompt, and how its explanation is generated. Scores are never sampled.

    grammar      of the score line
    max_tokens   limit of the explanation after the score line; 0: scores only
    stop         texts that end the explanation; they are not part of it
    temperature  0: the most probable token each time
    seed         of the sampling where the temperature is above 0
    """

    text: str
    grammar: Grammar
    max_tokens: int = 0
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
