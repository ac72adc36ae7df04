"""Forms that score one answer without a reference answer.

JudgeLM has no such form: without a reference its prompt always compares. Ours keeps its frames and
says in its words what is asked of a single answer. Its published checkpoints were not trained on it, so their
scores here are rough; anchored by a reference answer (form `single`) they are as trained.
"""

from collections.abc import Sequence

from judgestream.core.templates import chat, judgelm
from judgestream.core.templates.base import Form, Grammar, Layout
from judgestream.core.templates.multi import Escape


def judgelm_form(labels: tuple[str, ...], escape: Escape) -> Form:
    """One answer in JudgeLM's frames."""

    def layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
        return judgelm.material(question, answers, None, judgelm.PLAIN_INSTRUCTION, escape)

    return Form(layout=layout, grammar=Grammar(labels=labels, count=1))


def chat_form(task: str, grammar: Grammar, escape: Escape) -> Form:
    """One answer in the chat family's frames, with the question that its grammar answers."""

    def layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
        return chat.material(question, answers, None, task, escape)

    return Form(layout=layout, grammar=grammar)
