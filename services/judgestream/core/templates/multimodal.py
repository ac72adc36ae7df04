"""Forms of MM-Vet's text protocol: does an answer about an image agree with the reference? No image is shown.

JudgeLM's form shows the reference as answer 1 with the full score given, and the answer under judgement as
answer 2. Source: JudgeLM's script for MM-Vet (arXiv 2310.17631; baaivision/JudgeLM, Apache-2.0); no character
of it may change. The texts for chat models were written for this project.

Of several alternative references a prompt holds one to one: the answers of a layout are then that alternative
and the answer under judgement. Without it, the whole reference is the alternative.
"""

from collections.abc import Sequence

from judgestream.core.templates import chat, judgelm
from judgestream.core.templates.base import Layout, Render, marker_escaper

NAME = "multimodal"
"""The form's name, as of the mode that needs it."""

JUDGELM_INSTRUCTION = (
    "[System]\n"
    "We would like to request your feedback on the performance of two AI assistants' answers in"
    " comparing with the reference answer and determine if they match meaningfully. Please rate the"
    " helpfulness, relevance, accuracy, level of details of the Assistants' answers. To accomplish the"
    " task, you must : 1. Focus on the meaningful match between the reference answer and the"
    " Assistants' answers.\n"
    " 2. Consider synonyms or paraphrases as valid matches.\n"
    " 3. Evaluate the correctness of the Assistants' answers compared to the reference answer.\n"
    " 4. If there are multiple reference answers, the Assistants' answer is considered correct as long"
    " as it is close to any of the answers.\n"
    "Please first output a single line containing only two values indicating the scores for"
    " Assistant 1 and 2, respectively. The two scores are separated by a space. In the subsequent"
    " line, please provide a comprehensive explanation of your evaluation, avoiding any potential"
    " bias and ensuring that the order in which the responses were presented does not affect your"
    " judgment.\n\n"
)
CHAT_SCORE = (
    "The question is about an image that you do not see; the correct answer above is right about it. Does the"
    " answer say the same? Synonyms and other wordings are right, a missing or contradicting part is not."
    " Give the answer a whole number from 1 (says something else) to 10 (says the same in full). Write the"
    " number and nothing else on the first line. Below it, explain in a few sentences."
)
CHAT_APPROVAL = (
    "The question is about an image that you do not see; the correct answer above is right about it. Does the"
    " answer say the same, in whatever words? Write yes or no and nothing else on the first line. Below it,"
    " explain in a few sentences."
)

_escape = marker_escaper(judgelm.MARKERS)
_escape_chat = marker_escaper(chat.MARKERS)


def judgelm_layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
    """JudgeLM's prompt: the reference block holds the whole reference, answer 1 the alternative."""
    alternative, answer, whole = parts(answers, reference)
    shown = judgelm.material(question, (alternative, answer), whole, JUDGELM_INSTRUCTION, _escape)
    return Layout(text=shown.text + judgelm.FORCED_FIRST, slots=shown.slots)


def chat_layout(task: str) -> Render:
    """A chat prompt that shows the alternative as the correct answer, and nothing of the others."""

    def layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
        alternative, answer, _ = parts(answers, reference)
        return chat.material(question, (answer,), alternative, task, _escape_chat)

    return layout


def parts(answers: Sequence[str], reference: str | None) -> tuple[str, str, str]:
    """The alternative, the answer, and the whole reference.

    Raises:
        ValueError: no reference, or not one or two answers.
    """
    if reference is None or not 1 <= len(answers) <= 2:
        raise ValueError("the multimodal form needs a reference and one answer")
    *alternatives, answer = answers
    return (alternatives[0] if alternatives else reference), answer, reference
