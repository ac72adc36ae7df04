"""The form of the mode `rubric`: how well does an answer meet one criterion?

One prompt per criterion. Many scores on one line would have to be read one after the other, each given those
that were written before it; a separate prompt has the whole distribution of its score. The engine computes
the common beginning of the prompts once, since the criterion stands behind the answer.

`Form.render` takes the answer and the criterion's description, in this order, as its answers. The judge
writes a label of its scale; `core.settling.rubric` maps it to the criterion's.
"""

from collections.abc import Sequence

from judgestream.core.templates import chat, judgelm
from judgestream.core.templates.base import Form, Grammar, Layout, marker_escaper

RUBRIC = "rubric"

JUDGELM_CRITERION = (
    "[Criterion]\n{criterion}\n\n"
    "[System]\n"
    "We would like to request your feedback on the performance of one AI assistant in response to the user"
    " question displayed above, by the criterion displayed above alone, whatever else is good or bad about"
    " the response. The assistant receives a score on a scale of 1 to 10, where 1 means that the response"
    " does not meet the criterion at all and 10 that it meets it completely.\n"
    "Please first output a single line containing only one value indicating the score for Assistant 1. In the"
    " subsequent line, please provide a comprehensive explanation of your evaluation.\n\n"
)
CHAT_CRITERION = f"===== criterion =====\n{{criterion}}\n{chat.CLOSE}"
CHAT_SCORE = (
    "Judge the answer by the criterion alone, whatever else is good or bad about it. Give it a whole number"
    " from 1 (does not meet the criterion at all) to 10 (meets it completely). Write the number and nothing"
    " else on the first line. Below it, explain in a few sentences."
)
CHAT_DECISION = (
    "Judge the answer by the criterion alone, whatever else is good or bad about it. Does it meet the"
    " criterion? Write yes or no and nothing else on the first line. Below it, explain in a few sentences."
)
JUDGELM_MARKERS = ("[Criterion]",)
CHAT_MARKERS = ("===== criterion",)

_escape_judgelm = marker_escaper((*judgelm.MARKERS, *JUDGELM_MARKERS))
_escape_chat = marker_escaper((*chat.MARKERS, *CHAT_MARKERS))


def judgelm_form(labels: tuple[str, ...]) -> Form:
    """The form for judges that write these score labels."""

    def layout(question: str, shown: Sequence[str], reference: str | None) -> Layout:
        answer, criterion = _parts(shown)
        instruction = JUDGELM_CRITERION.replace("{criterion}", _escape_judgelm(criterion))
        return judgelm.material(question, [answer], reference, instruction, _escape_judgelm)

    return Form(layout=layout, grammar=Grammar(labels=labels, count=1), markers=JUDGELM_MARKERS)


def chat_form(task: str, grammar: Grammar) -> Form:
    """The form for judges behind chat endpoints, which are asked by the text `task`."""

    def layout(question: str, shown: Sequence[str], reference: str | None) -> Layout:
        answer, criterion = _parts(shown)
        about = CHAT_CRITERION.replace("{criterion}", _escape_chat(criterion)) + task
        return chat.material(question, [answer], reference, about, _escape_chat)

    return Form(layout=layout, grammar=grammar, markers=CHAT_MARKERS)


def _parts(shown: Sequence[str]) -> tuple[str, str]:
    """The answer and the criterion's description; a warm-up shows an answer alone."""
    answer, criterion = (*shown, "")[:2]
    return answer, criterion
