"""`judgestream release endpoint`: a judge behind a chat endpoint."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from judgestream.apps.cli.release.place import Repository, print_installed, repository_of
from judgestream.apps.cli.release.terms import PerDay, PriceIn, PriceOut, Total, given
from judgestream.core.errors import ConfigurationError
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat, note

if TYPE_CHECKING:
    from judgestream.adapters.releases.endpoint import RemoteJudge
    from judgestream.backends.chat.probing import Finding
    from judgestream.backends.chat.request_options import Choice


class Api(StrEnum):
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Instructions(StrEnum):
    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"


class Limit(StrEnum):
    MAX_TOKENS = "max_tokens"
    MAX_COMPLETION_TOKENS = "max_completion_tokens"


def endpoint_command(
    url: Annotated[str, typer.Argument(help="base URL of the endpoint, up to and including /v1")],
    model: Annotated[str, typer.Argument(help="name of the model at the endpoint")],
    repository: Repository = None,
    api: Annotated[
        Api, typer.Option(help="openai: /chat/completions; anthropic: /messages")
    ] = Api.OPENAI,
    key_variable: Annotated[
        str, typer.Option(help="environment variable of Triton's process that contains the key")
    ] = "",
    key_header: Annotated[
        str, typer.Option(help="header that carries the key; default: the API's own")
    ] = "",
    template: Annotated[
        str, typer.Option(help="id of a bundled template, or a template file")
    ] = "chat-v1",
    concurrency: Annotated[int, typer.Option(min=1, help="concurrent requests")] = 16,
    top_logprobs: Annotated[
        int | None,
        typer.Option(min=0, max=20, help="alternatives per token, 0 for none; default: tried"),
    ] = None,
    thinking_tokens: Annotated[
        int, typer.Option(min=0, help="extra tokens for a model that thinks before it answers")
    ] = 0,
    limit: Annotated[
        Limit | None, typer.Option(help="name of the token limit; default: tried")
    ] = None,
    temperature: Annotated[
        bool | None,
        typer.Option("--temperature/--no-temperature", help="send one or not; default: tried"),
    ] = None,
    instructions: Annotated[
        Instructions | None,
        typer.Option(help="kind of message with the template's instructions; default: tried"),
    ] = None,
    reasoning_effort: Annotated[
        str, typer.Option(help="such as low, for models that take it")
    ] = "",
    header: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="further header, such as anthropic-version"),
    ] = None,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    budget_per_day: PerDay = None,
    budget_total: Total = None,
    probe: Annotated[
        bool, typer.Option("--probe/--no-probe", help="ask the endpoint what it accepts")
    ] = True,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install a judge behind an OpenAI-style or Anthropic-style API (hosted, vLLM, SGLang, llama.cpp).

    The endpoint is asked a known good question first, and again without what it refuses. The options that it
    accepts are part of the release.
    """
    from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint
    from judgestream.backends.chat.request_options import Choice, RequestOptions, SystemText

    template_id, template_text = _chosen(template)
    judge = RemoteJudge(
        endpoint=url,
        endpoint_model=model,
        template_id=template_id,
        template=template_text,
        key_variable=key_variable,
        concurrency=concurrency,
        top_logprobs=(20 if api is Api.OPENAI else 0) if top_logprobs is None else top_logprobs,
        thinking_tokens=thinking_tokens,
        options=RequestOptions(
            protocol=api.value,
            limit=(limit or Limit.MAX_TOKENS).value,
            temperature=temperature is not False,
            reasoning_effort=reasoning_effort,
            system=SystemText((instructions or Instructions.SYSTEM).value),
            headers=_headers(header or []),
            key_header=key_header,
        ),
    )
    choices = {
        Choice.LIMIT: limit,
        Choice.TEMPERATURE: temperature,
        Choice.LOGPROBS: top_logprobs,
        Choice.SYSTEM: instructions,
    }
    chosen = frozenset(what for what, choice in choices.items() if choice is not None)
    terms = given(price_in, price_out, budget_per_day, budget_total)
    if probe:
        judge = _probed(judge, chosen, budget=terms is not None and terms.budget.set)
    place = repository_of(repository)
    print_installed(install_endpoint(judge, place, terms=terms), place, form)


def _probed(judge: "RemoteJudge", chosen: "frozenset[Choice]", *, budget: bool) -> "RemoteJudge":
    """The judge as its endpoint wants to be asked. Prints what was tried.

    Raises:
        ConfigurationError: it does not answer, the key is missing here, or its costs cannot be counted.
    """
    from judgestream.adapters.releases.endpoint_probe import probed_judge

    key = os.environ.get(judge.key_variable, "").strip() if judge.key_variable else ""
    if judge.key_variable and not key:
        raise ConfigurationError(
            f"{judge.key_variable} is not set in this shell, so the endpoint cannot be asked what it accepts:"
            " export it, or install the release unseen with --no-probe"
        )
    judge, found = probed_judge(judge, key, chosen)
    _report(judge, found)
    if budget and not found.input_tokens:
        raise ConfigurationError(
            f"{judge.endpoint} reports no token counts, so a budget would never be reached: leave the"
            " --budget options out"
        )
    return judge


def _report(judge: "RemoteJudge", found: "Finding") -> None:
    from judgestream.backends.chat.probing import described

    note(f"asked {judge.endpoint} for {judge.endpoint_model}:")
    for attempt in found.attempts:
        said = f"refused ({attempt.refused})" if attempt.refused else "accepted"
        note(f"  {attempt.asked}: {said}")
    note(f"will be used: {described(found.endpoint)}")
    note(
        f"its reply: {found.reply.strip()[:80]!r}, {found.input_tokens} tokens in,"
        f" {found.output_tokens} out"
    )
    for text in found.notes:
        note(f"note: {text}")


def _headers(given: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for text in given:
        name, sign, value = text.partition("=")
        if not sign:
            raise ConfigurationError(f"invalid --header {text[:80]!r}: give NAME=VALUE")
        headers[name.strip()] = value.strip()
    return headers


def _chosen(template: str) -> tuple[str, str]:
    """The id of a template, and its text if it comes from a file."""
    from judgestream.adapters.releases.template_file import read_template
    from judgestream.core.templates import TEMPLATES

    if template in TEMPLATES:
        return template, ""
    if not Path(template).is_file():
        raise ConfigurationError(
            f"no template {template!r}: give a template file, or one of {', '.join(TEMPLATES)}"
        )
    text, found = read_template(Path(template))
    return found.file.id, text
