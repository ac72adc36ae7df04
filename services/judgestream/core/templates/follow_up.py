"""The form of the mode `follow_up`: a discussion with the judge, behind the prompt of its judgement.

`Form.render` takes the messages of the discussion as its answers: the judge's reply to the judgement's
prompt, a question about it, the judge's answer, the next question, and so on; the last is the question to
answer. The question and the reference of the request are in the judgement's prompt already.

JudgeLM's page continues in the same way: the judge prompt, the reply, then each question and its answer. Its
wire format ends a question by `</s>`, which is the end of a reply to the family's tokenizers, has no
names, and fails at the second question. The frames here are our own, in the family's style. An answer does
not follow `### Response:`, behind which these judges were trained to write scores.
"""

from collections.abc import Sequence
from itertools import zip_longest

from judgestream.core.templates import chat, judgelm
from judgestream.core.templates.base import TEXT, Form, Layout, marker_escaper

FORM = "follow_up"

JUDGELM_QUESTION = (
    "\n\n[Question about the Evaluation]\n{question}\n\n"
    "[System]\n"
    "Please answer the question about your evaluation above in plain sentences.\n\n"
    "### Answer:"
)
CHAT_QUESTION = (
    "A question about your verdict above. Answer it in a few plain sentences, and base the answer on the"
    " material and on your verdict.\n\n{question}"
)
JUDGELM_MARKERS = ("[Question about the Evaluation]", "### Answer:")

_escape_judgelm = marker_escaper((*judgelm.MARKERS, *JUDGELM_MARKERS))
_escape_chat = marker_escaper(chat.MARKERS)


def _judgelm(_: str, discussion: Sequence[str], __: str | None) -> Layout:
    reply, *rest = (_escape_judgelm(text) for text in discussion)
    text = reply
    for asked, answer in zip_longest(rest[0::2], rest[1::2]):
        text += JUDGELM_QUESTION.replace("{question}", asked)
        if answer is not None:
            text += f" {answer.strip()}"
    return Layout(text=text, slots=())


def _chat(_: str, discussion: Sequence[str], __: str | None) -> Layout:
    text = ""
    for number, said in enumerate(map(_escape_chat, discussion)):
        by_user = number % 2
        text += (
            chat.USER + CHAT_QUESTION.replace("{question}", said)
            if by_user
            else chat.ASSISTANT + said
        )
    return Layout(text=text, slots=())


JUDGELM_FORM = Form(layout=_judgelm, grammar=TEXT, markers=JUDGELM_MARKERS)
CHAT_FORM = Form(layout=_chat, grammar=TEXT)
