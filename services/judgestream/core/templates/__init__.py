"""The table of templates. A new judge family is a module of texts like `judgelm.py` and a row here."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType

from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import (
    chat,
    conversations,
    follow_up,
    image_scorer,
    judgelm,
    multi,
    multimodal,
    plain,
    relevance,
    reward,
    rubric,
    vision,
)
from judgestream.core.templates.base import (
    Form,
    Grammar,
    Layout,
    Render,
    Template,
    marker_escaper,
)
from judgestream.core.templates.reason import CHAT_REASON

_escape = marker_escaper(judgelm.MARKERS)


def _judgelm_pair(question: str, answers: Sequence[str], reference: str | None) -> Layout:
    return judgelm.material(question, answers, reference, judgelm.INSTRUCTION, _escape)


def _judgelm_single(question: str, answers: Sequence[str], reference: str | None) -> Layout:
    """One answer against the reference, which is shown as answer 1 with the full score given."""
    if reference is None:
        raise ValueError("JudgeLM's single form needs a reference answer")
    pair = _judgelm_pair(question, (reference, *answers), None)
    return Layout(text=pair.text + judgelm.FORCED_FIRST, slots=pair.slots)


def _judgelm(template_id: str, labels: tuple[str, ...]) -> Template:
    pair = Form(layout=_judgelm_pair, grammar=Grammar(labels=labels, count=2))
    single = Form(layout=_judgelm_single, grammar=Grammar(labels=labels, count=1, lead=" "))
    forms = {
        "pair": pair,
        "single": single,
        "plain": plain.judgelm_form(labels, _escape),
        "multi": multi.judgelm_form(labels, _escape),
    }
    return Template(
        id=template_id,
        markers=judgelm.MARKERS,
        forms=MappingProxyType(
            {
                **forms,
                **conversations.judgelm_forms(labels, _escape),
                **relevance.judgelm_forms(labels),
                rubric.RUBRIC: rubric.judgelm_form(labels),
                follow_up.FORM: follow_up.JUDGELM_FORM,
                multimodal.NAME: replace(forms["single"], layout=multimodal.judgelm_layout),
            }
        ),
    )


JUDGELM = _judgelm("judgelm-v1", judgelm.SCORE_LABELS)
JUDGELM_HALVES = _judgelm("judgelm-halves-v1", judgelm.HALF_LABELS)

_escape_chat = marker_escaper(chat.MARKERS)


def _chat(question: str, answers: Sequence[str], reference: str | None, task: str) -> Layout:
    return chat.material(question, answers, reference, task, _escape_chat)


def _chat_pair(task: str) -> Render:
    return lambda question, answers, reference: _chat(question, answers, reference, task)


def _chat_single(task: str) -> Render:
    """One answer against the reference."""

    def layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
        if reference is None:
            raise ValueError("the single form needs a reference answer")
        return _chat(question, answers, reference, task)

    return layout


_ONE_SCORE = Grammar(labels=chat.SCORE_LABELS, count=1)
_YES_OR_NO = Grammar(
    labels=tuple(chat.APPROVAL_LABELS), count=1, scores=tuple(chat.APPROVAL_LABELS.values())
)
CHAT = Template(
    id="chat-v1",
    markers=chat.MARKERS,
    forms=MappingProxyType(
        {
            "pair": Form(
                layout=_chat_pair(chat.PAIR), grammar=Grammar(labels=chat.SCORE_LABELS, count=2)
            ),
            "single": Form(layout=_chat_single(chat.SINGLE), grammar=_ONE_SCORE),
            "plain": plain.chat_form(chat.PLAIN, _ONE_SCORE, _escape_chat),
            "multi": multi.chat_form(_escape_chat),
            **conversations.chat_forms(
                (chat.PAIR, Grammar(labels=chat.SCORE_LABELS, count=2)),
                (chat.PLAIN, _ONE_SCORE),
                _escape_chat,
            ),
            rubric.RUBRIC: rubric.chat_form(rubric.CHAT_SCORE, _ONE_SCORE),
            **relevance.CHAT_FORMS,
            follow_up.FORM: follow_up.CHAT_FORM,
            multimodal.NAME: Form(
                layout=multimodal.chat_layout(multimodal.CHAT_SCORE), grammar=_ONE_SCORE
            ),
        }
    ),
)
_CHOICE = Grammar(
    labels=tuple(chat.CHOICE_LABELS), count=1, outcomes=tuple(chat.CHOICE_LABELS.values())
)
CHAT_CHOICE = Template(
    id="chat-choice-v1",
    markers=chat.MARKERS,
    forms=MappingProxyType(
        {
            "pair": Form(layout=_chat_pair(chat.CHOICE), grammar=_CHOICE),
            "single": Form(layout=_chat_single(chat.APPROVAL), grammar=_YES_OR_NO),
            "plain": plain.chat_form(chat.PLAIN_APPROVAL, _YES_OR_NO, _escape_chat),
            **conversations.chat_forms(
                (chat.CHOICE, _CHOICE), (chat.PLAIN_APPROVAL, _YES_OR_NO), _escape_chat
            ),
            rubric.RUBRIC: rubric.chat_form(rubric.CHAT_DECISION, _YES_OR_NO),
            **relevance.CHAT_FORMS,
            follow_up.FORM: follow_up.CHAT_FORM,
            multimodal.NAME: Form(
                layout=multimodal.chat_layout(multimodal.CHAT_APPROVAL), grammar=_YES_OR_NO
            ),
        }
    ),
)

REWARD = Template(
    id="reward-v1",
    markers=(),
    forms=MappingProxyType({"value": Form(layout=reward.layout, grammar=reward.VALUE)}),
)

TEMPLATES: Mapping[str, Template] = MappingProxyType(
    {
        t.id: t
        for t in (
            JUDGELM,
            JUDGELM_HALVES,
            CHAT,
            CHAT_CHOICE,
            CHAT_REASON,
            REWARD,
            vision.LLAVA,
            image_scorer.SCORER,
        )
    }
)


_MESSAGES = re.compile(f"({chat.USER}|{chat.ASSISTANT})")
_ROLES = {chat.USER: "user", chat.ASSISTANT: "assistant"}


def messages(prompt: str) -> list[dict[str, str]]:
    """A rendered prompt as chat messages. Without a system part it is one user message."""
    first, *rest = _MESSAGES.split(prompt)
    if not rest:
        return [{"role": "user", "content": prompt}]
    return [
        {"role": "system", "content": first},
        *(
            {"role": _ROLES[mark], "content": text}
            for mark, text in zip(rest[0::2], rest[1::2], strict=True)
        ),
    ]


def template(template_id: str) -> Template:
    """The template with the id that a release names.

    Raises:
        ConfigurationError: no such template; the message lists the known ones.
    """
    try:
        return TEMPLATES[template_id]
    except KeyError:
        known = ", ".join(sorted(TEMPLATES))
        raise ConfigurationError(f"unknown template {template_id!r}; known: {known}") from None
