"""The input of every judge, whichever backend computes it. No torch."""

from dataclasses import dataclass, replace

from judgestream.core.templates.base import Grammar, Reasoning


@dataclass(frozen=True, kw_only=True, slots=True)
class Prompt:
    """One rendered prompt, and how the text around its scores is generated. Scores are never sampled.

    grammar      of the score line
    max_tokens   limit of the explanation after the score line; 0: scores only
    stop         texts that end the explanation; they are not part of it
    temperature  0: the most probable token each time
    seed         of the sampling where the temperature is above 0
    reasoning    what the judge writes before the grammar's marker; None: it begins with the score line
    images       files of the images that the text has placeholders for, in their order
    """

    text: str
    grammar: Grammar
    max_tokens: int = 0
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    reasoning: Reasoning | None = None
    images: tuple[bytes, ...] = ()

    def behind(self, reasoning: str) -> "Prompt":
        """The prompt with a reasoning and the marker behind it: the score line comes next."""
        return Prompt(
            text=self.text + reasoning + self.grammar.marker,
            grammar=replace(self.grammar, marker=""),
        )
