"""A template file as a `Template`: rendered once, with the texts under judgement put in afterwards."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from types import MappingProxyType

from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import chat, template
from judgestream.core.templates.base import (
    Form,
    Grammar,
    Layout,
    Reasoning,
    Template,
    marker_escaper,
)
from judgestream.core.types import Release
from judgestream.template_files.control_text import control_texts
from judgestream.template_files.jinja import Skeleton, skeleton
from judgestream.template_files.schema import (
    ANSWERS,
    NEEDS_REFERENCE,
    WITHOUT_REFERENCE,
    FormText,
    Scores,
    TemplateFile,
    checked,
)
from judgestream.template_files.yaml_text import parsed


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadedTemplate:
    """A template file.

    file      its values
    template  for the workers and the judge
    """

    file: TemplateFile
    template: Template


@lru_cache(maxsize=64)
def loaded(text: str, where: str = "the template") -> LoadedTemplate:
    """The template that a file's text describes. Every text of it is rendered once, so errors show here.

    where  names the file in errors

    Raises:
        ConfigurationError: what is wrong, where, and how to fix it.
    """
    file = checked(parsed(text, where), where)
    try:
        return LoadedTemplate(file=file, template=_built(file))
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None


def template_of(release: Release) -> Template:
    """The template of a release: from the file that it was installed with, or a bundled one.

    Raises:
        ConfigurationError: unknown id, or a file that this version cannot read.
    """
    if not release.template:
        return template(release.template_id)
    built = loaded(release.template, f"the template of release {release.name}").template
    if built.id != release.template_id:
        raise ConfigurationError(
            f"release {release.name} names template {release.template_id!r}, but its file is {built.id!r}:"
            " install it again"
        )
    return built


def _built(file: TemplateFile) -> Template:
    fixed: list[str] = []
    forms: dict[str, Callable[[int, bool], Skeleton]] = {}
    for name, text in file.forms.items():
        forms[name] = _skeletons(file, name, text)
        for reference in references(name):
            for answers in ANSWERS[name]:
                drawn = forms[name](answers, reference)
                _check_places(drawn, f"forms.{name}", answers, reference)
                fixed += drawn.parts
    markers = tuple(dict.fromkeys((*file.markers, *_markers_of(file), *control_texts(fixed))))
    escape = marker_escaper(markers) if markers else str
    return Template(
        id=file.id,
        markers=markers,
        fixed=tuple(dict.fromkeys(fixed)),
        forms=MappingProxyType(
            {name: _form(file, name, forms[name], escape) for name in file.forms}
        ),
    )


def references(name: str) -> tuple[bool, ...]:
    """Whether a form's prompts show a reference: always, never, or both."""
    if name in NEEDS_REFERENCE:
        return (True,)
    return (False,) if name in WITHOUT_REFERENCE else (False, True)


def _markers_of(file: TemplateFile) -> tuple[str, ...]:
    """The markers that the file's own keys bring along."""
    messages = any(form.messages is not None for form in file.forms.values())
    return (
        *((file.reasoning.marker,) if file.reasoning else ()),
        *((chat.USER.strip(),) if messages else ()),
    )


def _form(
    file: TemplateFile,
    name: str,
    drawn: Callable[[int, bool], Skeleton],
    escape: Callable[[str], str],
) -> Form:
    scores = file.forms[name].scores or file.scores  # type: ignore[index]
    reasoning = file.reasoning

    def layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
        if reference is None and name in NEEDS_REFERENCE:
            raise ValueError(f"the {name} form needs a reference answer")
        if len(answers) not in ANSWERS[name]:
            raise ValueError(f"the {name} form does not show {len(answers)} answers")
        if name in WITHOUT_REFERENCE:
            reference = None
        texts = {str(k): escape(answer) for k, answer in enumerate(answers)}
        texts |= {"question": escape(question), "reference": escape(reference or "")}
        return _filled(drawn(len(answers), reference is not None), texts, len(answers))

    return Form(
        layout=layout,
        grammar=_grammar(scores, name, reasoning.marker if reasoning else ""),
        score_per_answer=name == "multi",
        reasoning=None
        if reasoning is None
        else Reasoning(
            max_tokens=reasoning.max_tokens,
            samples=reasoning.samples,
            temperature=float(reasoning.temperature),
            seed=reasoning.seed,
        ),
    )


def _grammar(scores: Scores, name: str, marker: str) -> Grammar:
    if scores.outcomes and name != "pair":
        raise ConfigurationError(
            f"forms.{name}: outcomes are a choice between two answers: give this form scores with values"
        )
    return Grammar(
        labels=tuple(scores.labels),
        count=2 if name in ("pair", "multi") and not scores.outcomes else 1,
        separator=scores.separator,
        lead=scores.lead,
        marker=marker,
        closing=scores.closing,
        scores=tuple(float(value) for value in scores.values),
        outcomes=tuple(scores.outcomes),
    )


def _filled(drawn: Skeleton, texts: dict[str, str], answers: int) -> Layout:
    """The skeleton with its texts, and where each answer stands."""
    pieces, spans, length = [drawn.parts[0]], {}, len(drawn.parts[0])
    for place, part in zip(drawn.places, drawn.parts[1:], strict=True):
        text = texts[place]
        spans[place] = (length, length + len(text))
        pieces += [text, part]
        length += len(text) + len(part)
    return Layout(text="".join(pieces), slots=tuple(spans[str(k)] for k in range(answers)))


def _skeletons(file: TemplateFile, name: str, text: FormText) -> Callable[[int, bool], Skeleton]:
    """Number of answers, and whether there is a reference -> the form's skeleton."""

    @cache
    def draw(answers: int, reference: bool) -> Skeleton:
        def one(source: str, key: str) -> Skeleton:
            return skeleton(source, f"forms.{name}.{key}", answers=answers, reference=reference)

        if text.text is not None:
            return one(text.text, "text")
        messages = text.messages or []
        drawn = [one(m.content, f"messages.{k}.content") for k, m in enumerate(messages)]
        roles = [m.role for m in messages]
        return _joined(drawn, _between(file, roles, name))

    return draw


def _between(file: TemplateFile, roles: Sequence[str], name: str) -> list[str]:
    """The texts before each message, and behind the last."""
    frames = file.frames
    if frames is None:
        if roles[-1] == "assistant":
            raise ConfigurationError(
                f"forms.{name}.messages: an endpoint writes its own reply: remove the assistant message, or"
                " install the template with a checkpoint"
            )
        return ["", chat.USER, ""] if roles[0] == "system" else ["", ""]
    before = [frames.system, frames.user] if roles[0] == "system" else [frames.alone]
    return [*before, frames.reply, *([""] if roles[-1] == "assistant" else [])]


def _joined(drawn: Sequence[Skeleton], between: Sequence[str]) -> Skeleton:
    parts, places = [between[0]], list[str]()
    for one, after in zip(drawn, between[1:], strict=True):
        first, *rest = one.parts
        parts[-1] += first
        parts += rest
        parts[-1] += after
        places += one.places
    return Skeleton(parts=tuple(parts), places=tuple(places))


def _check_places(drawn: Skeleton, path: str, answers: int, reference: bool) -> None:
    """Raise ConfigurationError where a text under judgement is lost or shown twice."""
    shown = f"with {answers} answer{'s' if answers > 1 else ''}{' and a reference' if reference else ''}"
    wanted = ["question", *(str(k) for k in range(answers)), *(["reference"] if reference else [])]
    for place in wanted:
        count = drawn.places.count(place)
        what = f"answer {int(place) + 1}" if place.isdigit() else f"the {place}"
        if count == 0:
            raise ConfigurationError(
                f"{path}: {what} is lost {shown}: write it, such as {{{{ {_example(place)} }}}}"
            )
        if count > 1:
            raise ConfigurationError(
                f"{path}: {what} is written {count} times {shown}: write it once"
            )
    order = [place for place in drawn.places if place.isdigit()]
    if order != [str(k) for k in range(answers)]:
        raise ConfigurationError(
            f"{path}: the answers are not written in their order {shown}: passes swap them, not the template"
        )


def _example(place: str) -> str:
    return f"answers[{place}]" if place.isdigit() else place
