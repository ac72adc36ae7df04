"""The limit of a reply in tokens."""

from judgestream.core.prompt import Prompt


def reply_tokens(prompt: Prompt) -> int:
    """The score line, and the explanation or the reasoning.

    No stop text is sent: some models begin with an empty line or with their thoughts, some endpoints refuse
    it, and the line is cut on our side anyway.
    """
    reasoning = prompt.reasoning
    return prompt.grammar.line_tokens + (
        prompt.max_tokens if reasoning is None else reasoning.max_tokens
    )
