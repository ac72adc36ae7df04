"""The mode `multimodal`: answers about images, and images as answers.

With images the judge sees them: one answer is scored, two are compared, each with the images that belong to
it. An image scorer values every image alone by the question, so it ranks any number. Without images it is
MM-Vet's text protocol: one answer about an image that only its reference describes. A reference may have
alternatives (`<OR>`) of several parts each (`<AND>`). JudgeLM draws one alternative at random; here every
alternative is a pass, and the best one counts.
"""

from collections.abc import Sequence

from judgestream.core import limits
from judgestream.core.errors import UnsupportedMode
from judgestream.core.images import has_images
from judgestream.core.modes.base import Count, Mode
from judgestream.core.modes.orders import DIRECTIONS
from judgestream.core.modes.planning import form_of, has_reference, reference_uses
from judgestream.core.modes.valued_images import valued_by_image
from judgestream.core.passes import Pass
from judgestream.core.settling.multimodal import settle_multimodal, settle_values
from judgestream.core.templates import multimodal as texts
from judgestream.core.templates.base import ImageCounts, Template
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, Request

OR, AND = "<OR>", "<AND>"
MOST_ALTERNATIVES = 16


def alternatives(reference: str) -> tuple[str, ...]:
    """The references that an answer may agree with, in order and without repetitions.

    `<OR>` separates them; the parts that `<AND>` separates are joined by " and ".
    """
    joined = (_joined(part) for part in reference.split(OR))
    return tuple(dict.fromkeys(part for part in joined if part))


def _joined(part: str) -> str:
    return " and ".join(piece.strip() for piece in part.split(AND) if piece.strip())


def problem(request: Request) -> str:
    """Why a request has nothing to be judged by; "" if it has."""
    if has_images(request):
        return ""
    if len(request.candidates) != 1:
        return (
            "mode multimodal compares answers by images, and the request has none: add images, or use mode"
            " pairwise or multi"
        )
    found = alternatives(request.reference or "")
    if not has_reference(request) or not found:
        return "mode multimodal needs images, or a reference answer: add one of them"
    if len(found) > MOST_ALTERNATIVES:
        return (
            f"reference has {len(found)} alternatives; at most {MOST_ALTERNATIVES}: leave some out"
        )
    return ""


def passes(
    request: Request, mode: Mode, template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """One stage, see `Plan`: every order with images, or every alternative reference without."""
    if answered:
        return ()
    if has_images(request):
        return _with_images(request, mode, template)
    return _with_texts(request, mode, template)


def _with_images(request: Request, mode: Mode, template: Template) -> tuple[Pass, ...]:
    count = len(request.candidates)
    if count > 2:
        raise UnsupportedMode(
            f"template {template.id} compares two answers with images, and the request has {count}: use a"
            " release of an image scorer (template image-scorer-v1), or send them two by two"
        )
    planned: list[Pass] = []
    for with_reference in reference_uses(request, mode):
        name = "pair" if count == 2 else "single" if with_reference else "plain"
        form = form_of(mode, template, name)
        if form.image_layout is None:
            raise UnsupportedMode(
                f"template {template.id} shows no images, and the request has some: use a release of a judge"
                " that sees images (template llava-v1), or leave the images out"
            )
        for order in mode.orders[request.options.orders](count):
            transform = Transform(order=order, with_reference=with_reference)
            shown = transform.apply(request.candidates)
            layout = form.image_layout(
                request.question,
                [candidate.text for candidate in shown],
                request.reference if with_reference else None,
                ImageCounts(
                    question=len(request.images),
                    answers=tuple(len(candidate.images) for candidate in shown),
                ),
            )
            planned.append(
                Pass(
                    transform=transform,
                    prompt=layout.text,
                    grammar=form.grammar,
                    max_tokens=_tokens(request) if not planned else 0,
                    images=(*request.images, *(i for one in shown for i in one.images)),
                )
            )
    return tuple(planned)


def _with_texts(request: Request, mode: Mode, template: Template) -> tuple[Pass, ...]:
    """One pass per alternative. Each writes its explanation, since the best one counts."""
    form = form_of(mode, template, texts.NAME)
    reference = request.reference or ""
    (candidate,) = request.candidates
    found = alternatives(reference)
    return tuple(
        Pass(
            transform=Transform(
                order=(0,),
                with_reference=True,
                criterion=f"alternative-{number}" if len(found) > 1 else "",
            ),
            prompt=form.render(request.question, (alternative, candidate.text), reference),
            grammar=form.grammar,
            max_tokens=_tokens(request) if form.explains else 0,
            reasoning=form.reasoning,
        )
        for number, alternative in enumerate(found, start=1)
    )


def _tokens(request: Request) -> int:
    return request.options.max_explanation_tokens if request.options.explain else 0


MULTIMODAL = valued_by_image(
    Mode(
        name="multimodal",
        summary="answers about images, or images themselves: one scored, two compared, more ranked (by image"
        " scorers); without images (MM-Vet) one answer against its reference",
        candidates=Count(least=1, most=limits.IMAGES),
        forms_required=(texts.NAME,),
        orders=DIRECTIONS,
        settle=settle_multimodal,
        takes_images=True,
        plan=passes,
        problem=problem,
    ),
    settle_values,
)
