"""Plans: the passes that a request needs, in stages where a later pass depends on an earlier reply."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from judgestream.core import limits
from judgestream.core.errors import InvalidRequest, UnsupportedMode
from judgestream.core.limits import quoted
from judgestream.core.passes import Pass
from judgestream.core.templates import TEMPLATES
from judgestream.core.templates.base import Form, Template
from judgestream.core.transforms import Transform
from judgestream.core.types import PassResult, ReferenceUse, Request

if TYPE_CHECKING:
    from judgestream.core.modes.base import Mode


class Plan(Protocol):
    """A mode's plan. It is asked again after each stage, until it returns no more passes."""

    def __call__(
        self, request: Request, mode: "Mode", template: Template, answered: Sequence[PassResult]
    ) -> tuple[Pass, ...]:
        """The passes of the next stage, in a fixed order; () when `answered` can be settled.

        Args:
            answered: the results of all earlier stages, in the order of their passes. Empty at first.

        Raises:
            UnsupportedMode: the template lacks a form.
        """


def in_every_order(
    request: Request, mode: "Mode", template: Template, answered: Sequence[PassResult]
) -> tuple[Pass, ...]:
    """One stage: every order of the mode's row, with and without the reference as the request asks.

    The first pass is straight.
    """
    if answered:
        return ()
    orders = mode.orders[request.options.orders](len(request.candidates))
    return passes_of(
        request,
        mode,
        template,
        (
            Transform(order=order, with_reference=with_reference)
            for with_reference in reference_uses(request, mode)
            for order in orders
        ),
    )


def passes_of(
    request: Request, mode: "Mode", template: Template, transforms: Iterable[Transform]
) -> tuple[Pass, ...]:
    """One pass per transform. The first of them writes the explanation, if the request wants one and its
    form can.

    Raises:
        UnsupportedMode: the template lacks a form that renders one of them.
    """
    return bounded(request, _passes_of(request, mode, template, transforms))


def _passes_of(
    request: Request, mode: "Mode", template: Template, transforms: Iterable[Transform]
) -> Iterator[Pass]:
    answers = [candidate.text for candidate in request.candidates]
    for number, transform in enumerate(transforms):
        form = form_of(mode, template, mode.form_name(with_reference=transform.with_reference))
        shown = transform.apply(answers)
        reference = request.reference if transform.with_reference else None
        explains = request.options.explain and not number and form.explains
        yield Pass(
            transform=transform,
            prompt=form.render(request.question, shown, reference),
            grammar=form.grammar_for(len(shown)),
            max_tokens=request.options.max_explanation_tokens if explains else 0,
            reasoning=form.reasoning,
        )


def bounded(request: Request, passes: Iterable[Pass]) -> tuple[Pass, ...]:
    """The passes of a stage, rendered one by one until their prompts exceed what a worker holds in memory.

    Raises:
        InvalidRequest: they exceed `limits.PROMPTS` together.
    """
    kept: list[Pass] = []
    characters = 0
    for one in passes:
        characters += len(one.prompt)
        if characters > limits.PROMPTS:
            raise InvalidRequest(
                f"request {quoted(request.request_id)}: the prompts of mode {request.mode} have more than"
                f" {limits.PROMPTS} characters together, because each repeats the question: shorten the"
                " texts, or send fewer candidates, criteria, pairs or orders"
            )
        kept.append(one)
    return tuple(kept)


def form_of(mode: "Mode", template: Template, name: str) -> Form:
    """The template's form of that name.

    Raises:
        UnsupportedMode: the template lacks it; the message names it.
    """
    form = template.forms.get(name)
    if form is None:
        raise lacking(mode, template, [name])
    return form


def lacking(mode: "Mode", template: Template, forms: Sequence[str]) -> UnsupportedMode:
    """The refusal of a mode by a template without these forms, with the bundled templates that have them."""
    able = [one.id for one in TEMPLATES.values() if one.forms.keys() >= set(forms)]
    return UnsupportedMode(
        f"template {template.id} does not support mode {mode.name}: it has no form"
        f" {', '.join(forms)} (only {', '.join(template.forms)}): use a release with a template that has it"
        f" ({', '.join(able) or 'your own'})"
    )


def reference_uses(request: Request, mode: "Mode") -> tuple[bool, ...]:
    """Whether to show the reference, once or both ways, as the request and the mode say."""
    if mode.needs_reference:
        return (True,)
    if not has_reference(request) or request.options.reference_use is ReferenceUse.NEVER:
        return (False,)
    if request.options.reference_use is ReferenceUse.BOTH:
        return (True, False)
    return (True,)


def has_reference(request: Request) -> bool:
    """Whether the request has a reference answer that is not blank."""
    return bool((request.reference or "").strip())
