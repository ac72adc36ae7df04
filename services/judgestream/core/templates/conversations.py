"""Forms of the mode `multi_turn`: which of two conversations is better, or how good is one?

Four forms, by the number of conversations and by what of them is judged (`core.conversation.Focus`):

    conversation_pair, conversation_single   all replies of the assistant
    last_turn_pair, last_turn_single         its last reply; the turns before it are context

They are a template's forms for plain answers, with one sentence in front of the task, so that judges see
frames and instructions that they know. `Form.render` takes the conversations as transcripts
(`core.conversation.transcript`). The question is what all of them are about; it may be blank, since the
user's messages are in the conversations.

That a judge sees each conversation whole, one after the other, and reads which turn counts, is MT-Bench's
idea (arXiv 2306.05685); the words are our own.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from judgestream.core.conversation import Focus
from judgestream.core.templates import chat, judgelm
from judgestream.core.templates.base import Form, Grammar, Layout, Render
from judgestream.core.templates.multi import Escape

PAIR_FORMS: Mapping[Focus, str] = MappingProxyType(
    {Focus.WHOLE: "conversation_pair", Focus.LAST_TURN: "last_turn_pair"}
)
SINGLE_FORMS: Mapping[Focus, str] = MappingProxyType(
    {Focus.WHOLE: "conversation_single", Focus.LAST_TURN: "last_turn_single"}
)
JUDGED: Mapping[Focus, str] = MappingProxyType(
    {
        Focus.WHOLE: (
            "An answer above is a whole conversation of an assistant with the user, turn by turn. Judge all"
            " replies of the assistant, and how well each of them takes the turns before it into account."
        ),
        Focus.LAST_TURN: (
            "An answer above is a whole conversation of an assistant with the user, turn by turn. Judge only"
            " the last reply of the assistant; the turns before it are its context."
        ),
    }
)
NO_QUESTION = "The messages of the user are in the conversations below."


def judgelm_forms(labels: tuple[str, ...], escape: Escape) -> Mapping[str, Form]:
    """The forms for judges that write these score labels."""

    def render(instruction: str) -> Render:
        def layout(question: str, shown: Sequence[str], reference: str | None) -> Layout:
            return judgelm.material(_asked(question), shown, reference, instruction, escape)

        return layout

    forms: dict[str, Form] = {}
    for focus, judged in JUDGED.items():
        opening = f"[System]\n{judged}\n"
        pair = judgelm.INSTRUCTION.replace("[System]\n", opening)
        single = judgelm.PLAIN_INSTRUCTION.replace("[System]\n", opening)
        forms[PAIR_FORMS[focus]] = Form(
            layout=render(pair), grammar=Grammar(labels=labels, count=2)
        )
        forms[SINGLE_FORMS[focus]] = Form(
            layout=render(single), grammar=Grammar(labels=labels, count=1)
        )
    return MappingProxyType(forms)


def chat_forms(
    pair: tuple[str, Grammar], single: tuple[str, Grammar], escape: Escape
) -> Mapping[str, Form]:
    """The forms for judges behind chat endpoints, from the tasks and grammars of plain answers."""

    def form(judged: str, task: str, grammar: Grammar) -> Form:
        def layout(question: str, shown: Sequence[str], reference: str | None) -> Layout:
            return chat.material(_asked(question), shown, reference, f"{judged} {task}", escape)

        return Form(layout=layout, grammar=grammar)

    forms: dict[str, Form] = {}
    for focus, judged in JUDGED.items():
        forms[PAIR_FORMS[focus]] = form(judged, *pair)
        forms[SINGLE_FORMS[focus]] = form(judged, *single)
    return MappingProxyType(forms)


def _asked(question: str) -> str:
    return question if question.strip() else NO_QUESTION
