"""Texts of JudgeLM's prompt family.

Source: the prompt format of the released JudgeLM checkpoints (arXiv 2310.17631; baaivision/JudgeLM,
Apache-2.0). The checkpoints were trained on exactly these bytes, so no character may change. There is no chat
template, and the prompt ends right after the last colon: the judge's next token is the first digit of the
first score.
"""

from collections.abc import Callable, Sequence

from judgestream.core.templates.base import Layout, framed

SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer.\n"
QUESTION = "[Question]\n{question}\n\n"
REFERENCE = "[Reference Answer]\n{reference}\n\n"
ANSWER = (
    "[The Start of Assistant {k}'s Answer]\n{answer}\n\n[The End of Assistant {k}'s Answer]\n\n"
)
INSTRUCTION = (
    "[System]\n"
    "We would like to request your feedback on the performance of two AI assistants in response to"
    " the user question displayed above.\n"
    "Please rate the helpfulness, relevance, accuracy, level of details of their responses. Each"
    " assistant receives an overall score on a scale of 1 to 10, where a higher score indicates"
    " better overall performance.\n"
    "Please first output a single line containing only two values indicating the scores for"
    " Assistant 1 and 2, respectively. The two scores are separated by a space. In the subsequent"
    " line, please provide a comprehensive explanation of your evaluation, avoiding any potential"
    " bias and ensuring that the order in which the responses were presented does not affect your"
    " judgment.\n\n"
)
PLAIN_INSTRUCTION = (
    "[System]\n"
    "We would like to request your feedback on the performance of one AI assistant in response to"
    " the user question displayed above.\n"
    "Please rate the helpfulness, relevance, accuracy, level of details of its response. The"
    " assistant receives an overall score on a scale of 1 to 10, where a higher score indicates"
    " better overall performance.\n"
    "Please first output a single line containing only one value indicating the score for"
    " Assistant 1. In the subsequent line, please provide a comprehensive explanation of your"
    " evaluation, avoiding any potential bias.\n\n"
)
"""For one answer without a reference. It is not JudgeLM's own: JudgeLM has no such form."""
RESPONSE = "### Response:"
FORCED_FIRST = "10"
"""In the single form the reference is shown as answer 1, and this is given as its score."""

MARKERS = (
    "[Question]",
    "[Reference Answer]",
    "[The Start of Assistant",
    "[The End of Assistant",
    "[System]",
    "### Response:",
    "<s>",
    "</s>",
    "<unk>",
)
"""The markers of the prompt. These are escaped in text under judgement."""

SCORE_LABELS = tuple(str(n) for n in range(1, 11))
HALF_LABELS = tuple(f"{n / 2:g}" for n in range(2, 21))
"""1, 1.5, 2 ... 10, for judges whose teacher gave half points."""


def material(
    question: str,
    answers: Sequence[str],
    reference: str | None,
    instruction: str,
    escape: Callable[[str], str],
) -> Layout:
    """The whole prompt: question, reference and answers in their frames, then the instruction."""
    before = SYSTEM + QUESTION.replace("{question}", escape(question))
    if reference is not None:
        before += REFERENCE.replace("{reference}", escape(reference))
    return framed(
        before,
        lambda k: ANSWER.replace("{k}", str(k)),
        [escape(answer) for answer in answers],
        instruction + RESPONSE,
    )
