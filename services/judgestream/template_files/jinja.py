"""The Jinja2 of a template file, limited to what a prompt needs: no calls, no attributes, no own loops.

A text is rendered once per number of answers, with and without a reference. The texts under judgement are not
there yet: each is a `Place`, and the rendered text is cut at the places (see `skeleton`). So nothing that
somebody judges can reach Jinja2, and what a template writes cannot depend on it. The allowed syntax has
no way to loop over anything but the answers or to repeat a text, so size and time are limited by the file's.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from judgestream.core.errors import ConfigurationError
from judgestream.template_files.schema import PRIVATE

FILTERS = ("length", "count", "trim", "first", "last")
TESTS = ("defined", "none", "odd", "even", "eq", "ne", "lt", "le", "gt", "ge")
LOOP = ("index", "index0", "revindex", "revindex0", "first", "last", "length")
NAMES = ("question", "answers", "reference")
MAX_OUTPUT = 1 << 20
"""Characters of a rendered prompt without the texts under judgement."""

MAX_NESTING = 2

_ALLOWED = (
    *(
        nodes.Template,
        nodes.Output,
        nodes.TemplateData,
        nodes.Name,
        nodes.Const,
        nodes.For,
        nodes.If,
    ),
    *(nodes.CondExpr, nodes.Getattr, nodes.Getitem, nodes.Filter, nodes.Test, nodes.Compare),
    *(nodes.Operand, nodes.And, nodes.Or, nodes.Not, nodes.Concat, nodes.Add, nodes.Sub, nodes.Neg),
)


class Place:
    """The place of a text under judgement. It has no value: a template can only write it."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __str__(self) -> str:
        return f"{PRIVATE[0]}{self._name}{PRIVATE[1]}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Skeleton:
    """A rendered text with places for the texts under judgement.

    parts   fixed texts, one more than there are places
    places  "question", "reference" or the index of an answer, from "0"
    """

    parts: tuple[str, ...]
    places: tuple[str, ...]


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, autoescape=False, trim_blocks=True, lstrip_blocks=True
    )
    environment.globals.clear()
    for table, kept in ((environment.filters, FILTERS), (environment.tests, TESTS)):
        for name in set(table) - set(kept):
            del table[name]
    return environment


_ENVIRONMENT = _environment()


def skeleton(source: str, path: str, *, answers: int, reference: bool) -> Skeleton:
    """The text for this number of answers, with or without a reference.

    path  of the text in its file, for errors

    Raises:
        ConfigurationError: unsupported syntax, an unknown name, or a text that is not written whole.
    """
    try:
        tree = _ENVIRONMENT.parse(source)
        _check(tree, path, 0)
        template = _ENVIRONMENT.from_string(source)
        values: Mapping[str, object] = {
            "question": Place("question"),
            "answers": tuple(Place(str(k)) for k in range(answers)),
            "reference": Place("reference") if reference else None,
        }
        pieces: list[str] = []
        size = 0
        for piece in template.generate(**values):
            size += len(piece)
            if size > MAX_OUTPUT:
                raise ConfigurationError(
                    f"{path} renders to more than {MAX_OUTPUT} characters: shorten it"
                )
            pieces.append(piece)
    except TemplateSyntaxError as error:
        raise ConfigurationError(f"{path}: line {error.lineno}: {error.message}") from None
    except (TemplateError, TypeError, ValueError, LookupError, RecursionError) as error:
        raise ConfigurationError(
            f"{path}: {error} (the names are {', '.join(NAMES)}; each is written as it is)"
        ) from None
    return _cut("".join(pieces), path)


def _cut(text: str, path: str) -> Skeleton:
    found = re.split(f"{PRIVATE[0]}(question|reference|[0-9]+){PRIVATE[1]}", text)
    parts, places = tuple(found[::2]), tuple(found[1::2])
    if any(sign in part for part in parts for sign in PRIVATE):
        raise ConfigurationError(
            f"{path}: a question, answer or reference is changed or cut: write it as it is, without filters"
        )
    return Skeleton(parts=parts, places=places)


def _check(node: nodes.Node, path: str, loops: int) -> None:
    """Raise ConfigurationError for syntax that a template does not need."""
    where = f"{path}: line {node.lineno}" if getattr(node, "lineno", None) else path
    if not isinstance(node, _ALLOWED):
        raise ConfigurationError(
            f"{where}: {type(node).__name__} is not supported: use if, for over answers, and loop.index"
        )
    if isinstance(node, nodes.Getattr) and not (
        isinstance(node.node, nodes.Name) and node.node.name == "loop" and node.attr in LOOP
    ):
        raise ConfigurationError(
            f"{where}: attribute {node.attr!r} is not supported: only loop.{', loop.'.join(LOOP)}"
        )
    if isinstance(node, nodes.For):
        loops += 1
        if (
            not (isinstance(node.iter, nodes.Name) and node.iter.name == "answers")
            or node.recursive
        ):
            raise ConfigurationError(f"{where}: a loop may only go over answers")
        if loops > MAX_NESTING:
            raise ConfigurationError(f"{where}: loops are nested more than {MAX_NESTING} deep")
    if isinstance(node, nodes.Filter | nodes.Test) and (node.args or node.kwargs):
        if isinstance(node, nodes.Filter):
            raise ConfigurationError(f"{where}: filter {node.name} takes no arguments here")
    for child in node.iter_child_nodes():
        _check(child, path, loops)
