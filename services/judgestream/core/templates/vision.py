"""The template of vision judges: LLaVA checkpoints, which see the images of a request.

The frame is that of LLaVA 1.5 (`USER: ... ASSISTANT:`, with a space before the reply); the texts were written
for this project. Each image stands as `<image>` on a separate line, before the text that it belongs to.
"""

from collections.abc import Sequence
from types import MappingProxyType

from judgestream.core.templates import chat, multimodal
from judgestream.core.templates.base import (
    NO_IMAGES,
    Form,
    Grammar,
    ImageCounts,
    Layout,
    Template,
    framed,
    marker_escaper,
)

IMAGE = "<image>"
"""LLaVA's token for an image, which no other text of a prompt contains."""

USER = "USER: "
REPLY = " ASSISTANT:"
SYSTEM = chat.SYSTEM + " An image stands before the text that it belongs to.\n"
MARKERS = (*chat.MARKERS, IMAGE, "USER:", "ASSISTANT:", "<s>", "</s>", "<unk>")

_escape = marker_escaper(MARKERS)


def _layout(
    question: str,
    answers: Sequence[str],
    reference: str | None,
    images: ImageCounts,
    task: str,
) -> Layout:
    before = (
        SYSTEM
        + USER
        + chat.QUESTION.replace("{question}", _lines(images.question) + _escape(question))
    )
    if reference is not None:
        before += chat.REFERENCE.replace("{reference}", _escape(reference))
    counts = images.answers or (0,) * len(answers)

    def frame(k: int) -> str:
        return chat.ANSWER.replace("{k}", str(k)).replace(
            "{answer}", _lines(counts[k - 1]) + "{answer}"
        )

    shown = [_escape(answer) for answer in answers]
    return framed(before, frame, shown, chat.CLOSE + task + REPLY)


def _lines(count: int) -> str:
    return f"{IMAGE}\n" * count


def _pair(
    question: str, answers: Sequence[str], reference: str | None, images: ImageCounts = NO_IMAGES
) -> Layout:
    return _layout(question, answers, reference, images, chat.PAIR)


def _single(
    question: str, answers: Sequence[str], reference: str | None, images: ImageCounts = NO_IMAGES
) -> Layout:
    if reference is None:
        raise ValueError("the single form needs a reference answer")
    return _layout(question, answers, reference, images, chat.SINGLE)


def _plain(
    question: str, answers: Sequence[str], _: str | None, images: ImageCounts = NO_IMAGES
) -> Layout:
    return _layout(question, answers, None, images, chat.PLAIN)


def _agreement(question: str, answers: Sequence[str], reference: str | None) -> Layout:
    alternative, answer, _ = multimodal.parts(answers, reference)
    return _layout(question, (answer,), alternative, NO_IMAGES, multimodal.CHAT_SCORE)


_PAIR = Grammar(labels=chat.SCORE_LABELS, count=2, lead=" ")
_SINGLE = Grammar(labels=chat.SCORE_LABELS, count=1, lead=" ")

LLAVA = Template(
    id="llava-v1",
    markers=MARKERS,
    forms=MappingProxyType(
        {
            "pair": Form(layout=_pair, image_layout=_pair, grammar=_PAIR),
            "single": Form(layout=_single, image_layout=_single, grammar=_SINGLE),
            "plain": Form(layout=_plain, image_layout=_plain, grammar=_SINGLE),
            multimodal.NAME: Form(layout=_agreement, grammar=_SINGLE),
        }
    ),
)
