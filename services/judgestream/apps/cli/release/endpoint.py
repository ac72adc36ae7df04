"""`judgestream release endpoint`: a judge behind a chat endpoint."""

from typing import Annotated

import typer

from judgestream.apps.cli.release.place import Repository, print_installed, repository_of
from judgestream.apps.cli.release.terms import PerDay, PriceIn, PriceOut, Total, given
from judgestream.terminal import options
from judgestream.terminal.output import OutputFormat


def endpoint_command(
    url: Annotated[str, typer.Argument(help="base URL of the endpoint, up to and including /v1")],
    model: Annotated[str, typer.Argument(help="name of the model at the endpoint")],
    repository: Repository = None,
    key_variable: Annotated[
        str, typer.Option(help="environment variable of Triton's process that contains the key")
    ] = "",
    template: Annotated[str, typer.Option(help="prompt template")] = "chat-v1",
    concurrency: Annotated[int, typer.Option(min=1, help="concurrent requests")] = 16,
    top_logprobs: Annotated[
        int,
        typer.Option(min=0, max=20, help="alternatives per token; 0: the endpoint returns none"),
    ] = 20,
    thinking_tokens: Annotated[
        int, typer.Option(min=0, help="extra tokens for a model that thinks before it answers")
    ] = 0,
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    budget_per_day: PerDay = None,
    budget_total: Total = None,
    form: options.Format = OutputFormat.TEXT,
) -> None:
    """Install a judge behind an OpenAI-compatible endpoint (vLLM, SGLang, hosted)."""
    from judgestream.adapters.releases.endpoint import RemoteJudge, install_endpoint

    judge = RemoteJudge(
        endpoint=url,
        endpoint_model=model,
        template_id=template,
        key_variable=key_variable,
        concurrency=concurrency,
        top_logprobs=top_logprobs,
        thinking_tokens=thinking_tokens,
    )
    terms = given(price_in, price_out, budget_per_day, budget_total)
    place = repository_of(repository)
    print_installed(install_endpoint(judge, place, terms=terms), place, form)
