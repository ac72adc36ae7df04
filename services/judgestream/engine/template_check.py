"""A template file against a checkpoint's tokenizer: lengths, score lines and control tokens. No weights."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import TemplateError

from judgestream.checkpoints.context import context_tokens
from judgestream.core.errors import ConfigurationError
from judgestream.core.prompt import Prompt
from judgestream.core.templates.base import Form, Template
from judgestream.engine.checkpoint import load_tokens
from judgestream.engine.score_lines import ScoreLineCache
from judgestream.engine.tokens import Tokens
from judgestream.template_files.checking import Example, examples
from judgestream.template_files.schema import Frames

_SYSTEM, _USER = "\ue000system\ue001", "\ue000user\ue001"


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptTokens:
    """One example prompt in a checkpoint's tokens.

    tokens     of the whole prompt
    control    control tokens that the template writes in it
    """

    example: Example
    tokens: int
    control: int


@dataclass(frozen=True, kw_only=True, slots=True)
class TokenReport:
    """What a checkpoint makes of a template.

    context   tokens of prompt and reply together
    problems  why the judge could not be read, or could be misled
    """

    context: int
    prompts: tuple[PromptTokens, ...]
    problems: tuple[str, ...]


def report(folder: Path, template: Template) -> TokenReport:
    """Tokenise every example of the template, and read where its scores would stand.

    Raises:
        ConfigurationError: the folder has no usable tokenizer.
    """
    tokens = load_tokens(folder).with_template(template)
    shown = examples(template)
    found: list[str] = []
    open_tokens = template.unescaped(tokens.parsed)
    found += [
        f"the template writes the control token {text!r}, and text under judgement could write it, too: list"
        " it under markers"
        for text in open_tokens
    ]
    for example in shown:
        found += _line_problems(tokens, template.forms[example.form], example)
        if not open_tokens:
            found += _control_problems(tokens, template, example)
    return TokenReport(
        context=context_tokens(folder),
        prompts=tuple(
            PromptTokens(
                example=one,
                tokens=len(tokens.prompt(one.prompt)),
                control=_control(tokens, one.prompt),
            )
            for one in shown
        ),
        problems=tuple(dict.fromkeys(found)),
    )


def frames_of(folder: Path) -> Frames:
    """What the checkpoint's chat template writes around a system message and a user message.

    The BOS token that the tokenizer itself puts before every prompt is left out.

    Raises:
        ConfigurationError: no chat template, or one that does not show the messages as they are.
    """
    tokens = load_tokens(folder)
    if not tokens.tokenizer.chat_template:
        raise ConfigurationError(
            f"checkpoint {folder} has no chat template, and the template has messages: write its forms as"
            " text"
        )
    with_system = _pieces(tokens, [("system", _SYSTEM), ("user", _USER)])
    alone = _pieces(tokens, [("user", _USER)])
    if with_system[2] != alone[1]:
        raise ConfigurationError(
            f"checkpoint {folder}: its chat template ends differently with a system message: write the"
            " forms as text"
        )
    return Frames(system=with_system[0], user=with_system[1], alone=alone[0], reply=alone[1])


def _pieces(tokens: Tokens, messages: list[tuple[str, str]]) -> list[str]:
    given = [{"role": role, "content": content} for role, content in messages]
    tokenizer: Any = tokens.tokenizer
    try:
        text = str(tokenizer.apply_chat_template(given, tokenize=False, add_generation_prompt=True))
    except (TemplateError, ValueError, TypeError) as error:
        raise ConfigurationError(
            f"the checkpoint's chat template refuses a message: {error}: write the template's forms as text"
        ) from error
    bos = tokenizer.bos_token
    if tokens.start and bos:
        text = text.removeprefix(str(bos))
    pieces = []
    for _, content in messages:
        before, found, text = text.partition(content)
        if not found:
            raise ConfigurationError(
                "the checkpoint's chat template drops or changes a message: write the template's forms as"
                " text"
            )
        pieces.append(before)
    return [*pieces, text]


def _line_problems(tokens: Tokens, form: Form, example: Example) -> list[str]:
    prompt = Prompt(
        text=example.prompt,
        grammar=form.grammar_for(example.answers),
        reasoning=form.reasoning,
    )
    try:
        ScoreLineCache(tokens).of(prompt.behind("Because.\n") if form.reasoning else prompt)
    except ValueError as error:
        return [
            f"forms.{example.form}: its scores cannot be read with this tokenizer: {error}: change the"
            " prompt's end, or scores.lead"
        ]
    return []


def _control_problems(tokens: Tokens, template: Template, example: Example) -> list[str]:
    """Control tokens that a text under judgement would produce."""
    honest = _control(tokens, _rendered(template, example, "x"))
    added = [token.content for token in tokens.tokenizer.added_tokens_decoder.values()]
    return [
        f"forms.{example.form}: {text[:60]!r} in a text under judgement becomes a control token: list it"
        " under markers"
        for text in added
        if _control(tokens, _rendered(template, example, f"x{text}x")) != honest
    ]


def _rendered(template: Template, example: Example, text: str) -> str:
    reference = text if example.reference else None
    return template.forms[example.form].render(text, [text] * example.answers, reference)


def _control(tokens: Tokens, prompt: str) -> int:
    """How many control tokens a prompt has."""
    markup = tokens.control | tokens.parsed_ids
    return sum(number in markup for number in tokens.encoded(prompt)[0])
