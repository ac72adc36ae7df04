"""The score lines behind a prompt, cached for prompts that end alike."""

from dataclasses import dataclass, replace

from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import JOINT_UP_TO, Grammar
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.sequential_scores import ChainLines
from judgestream.engine.tokens import Tokens

MAX_CACHED = 256
END_CHARS = 64
"""Characters of a prompt's last line that identify its end."""

CONTEXT_CHARS = 2000
"""Characters of the prompt's end that the tree is built behind."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreLines:
    """The score lines behind a prompt.

    tree   of all lines; for sequential scores, of the first score
    chain  for sequential scores: the beginnings of the lines
    """

    tree: ScoreTree
    chain: ChainLines | None = None


class ScoreLineCache:
    """Score lines by grammar and by the end of the prompt. The oldest entry is dropped when it is full."""

    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens
        self._cached: dict[tuple[Grammar, str], ScoreLines] = {}

    def of(self, prompt: Prompt) -> ScoreLines:
        """The lines behind this prompt; prompts with the same last line share one object.

        Raises:
            ValueError: malformed grammar, or one that this tokenizer cannot write.
        """
        key = (prompt.grammar, prompt.text.rsplit("\n", 1)[-1][-END_CHARS:])
        lines = self._cached.get(key)
        if lines is None:
            lines = self._build(prompt)
            if len(self._cached) >= MAX_CACHED:
                self._cached.pop(next(iter(self._cached)))
            self._cached[key] = lines
        return lines

    def _build(self, prompt: Prompt) -> ScoreLines:
        grammar, context = prompt.grammar, prompt.text[-CONTEXT_CHARS:]
        if grammar.count <= JOINT_UP_TO:
            return ScoreLines(tree=ScoreTree.build(grammar, self._tokens, context))
        return ScoreLines(
            # generation starts from the most probable tokens of the first score
            tree=ScoreTree.build(replace(grammar, count=1), self._tokens, context),
            chain=ChainLines(grammar, self._tokens, context),
        )
