"""Modes with image scorers: one pass per candidate, which shows its image beside the question."""

from collections.abc import Callable, Sequence

from judgestream.core.errors import UnsupportedMode
from judgestream.core.modes.base import Mode
from judgestream.core.modes.planning import bounded, form_of, has_reference
from judgestream.core.modes.valued import open_to
from judgestream.core.passes import Pass
from judgestream.core.reconcile import Settlement
from judgestream.core.templates.base import Template
from judgestream.core.templates.image_scorer import FORM
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, ReferenceUse, Request


def valued_by_image(
    mode: Mode, settle: Callable[[Request, Sequence[PassResult]], Settlement]
) -> Mode:
    """The mode, open to image scorers, whose passes settle by this rule. They take no reference."""
    return open_to(mode, settle, FORM, image_by_image)


def image_by_image(
    request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """One stage: every candidate's image beside the question.

    Raises:
        UnsupportedMode: the request has a part that such a judge cannot see; nothing is left out silently.
    """
    if answered:
        return ()
    if problem := _unseen(request):
        raise UnsupportedMode(f"template {template.id} values images by a caption: {problem}")
    form = form_of(mode, template, FORM)
    prompt = form.render(request.question, (), None)
    count = len(request.candidates)
    return bounded(
        request,
        (
            Pass(
                transform=Transform(order=(k,), partial=count > 1),
                prompt=prompt,
                grammar=form.grammar,
                images=candidate.images,
            )
            for k, candidate in enumerate(request.candidates)
        ),
    )


def _unseen(request: Request) -> str:
    """What of a request an image scorer cannot take into account, and what to do; "" if there is nothing."""
    if request.images:
        return "put each image into its candidate, not into the question"
    for place, candidate in enumerate(request.candidates, start=1):
        if len(candidate.images) != 1:
            return (
                f"candidates[{place}] has {len(candidate.images)} images: give every candidate one"
            )
        if candidate.text.strip():
            return (
                f"candidates[{place}] has a text, too: remove it, or use a release of a judge that reads it"
                " (template llava-v1)"
            )
    if has_reference(request) and request.options.reference_use is not ReferenceUse.NEVER:
        return "it takes no reference answer: remove it, or set options.reference_use to never"
    return ""
