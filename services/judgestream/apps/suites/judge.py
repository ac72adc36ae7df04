"""The release of a run: its name, its template and its prices, from Triton."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum

from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.triton.fleet_judge import single_judge
from judgestream.core.costs import Prices
from judgestream.core.errors import JudgestreamError
from judgestream.core.jury import is_jury
from judgestream.core.modes import MODES, plan
from judgestream.core.passes import Pass
from judgestream.core.templates.base import Template
from judgestream.core.types import PassResult, Reply, Request
from judgestream.settings import Settings
from judgestream.template_files import template_of

CHARS_PER_TOKEN = 4.0
"""Of English text under common tokenizers; for estimates before anything is asked."""


@dataclass(frozen=True, kw_only=True, slots=True)
class JudgeFacts:
    """The release that judges. `template` is None for a jury, whose members have their own."""

    name: str
    prices: Prices
    template: Template | None


def facts(settings: Settings, release: str) -> JudgeFacts:
    """Ask Triton about a release; "" for the one in use.

    Raises:
        JudgestreamError: Triton does not answer, or the release is not loaded.
    """

    async def ask() -> JudgeFacts:
        async with single_judge(
            settings.triton.grpc,
            release or settings.triton.release,
            deadline_s=settings.judging.deadline_s,
            tls=ClientTls.of(settings.triton, "triton"),
        ) as judge:
            jury = is_jury(judge.parameters)
            return JudgeFacts(
                name=judge.release.name,
                prices=judge.terms.prices,
                template=None if jury else template_of(judge.release),
            )

    return asyncio.run(ask())


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """What requests would take. `cost` is None where no prices are stated."""

    requests: int
    prompts: int
    input_tokens: int
    output_tokens: int
    cost: float | None


def estimate(requests: Sequence[Request], judge: JudgeFacts) -> Estimate:
    """From the prompts of each request, at four characters a token. An analysis that later prompts show is
    taken to be as long as it may be; a stage that depends on scores is not counted.

    A request that the release cannot serve counts no prompts; running it says why.
    """
    prompts, tokens_in, tokens_out = 0, 0.0, 0
    for one in requests:
        if judge.template is None:
            continue
        try:
            passes = _passes(one, judge.template)
        except JudgestreamError:
            continue
        prompts += len(passes)
        tokens_in += fsum(len(each.prompt) for each in passes) / CHARS_PER_TOKEN
        tokens_out += sum(
            each.grammar.line_tokens
            + each.max_tokens
            + (each.reasoning.max_tokens * each.reasoning.samples if each.reasoning else 0)
            for each in passes
        )
    return Estimate(
        requests=len(requests),
        prompts=prompts,
        input_tokens=round(tokens_in),
        output_tokens=tokens_out,
        cost=judge.prices.cost(tokens_in, tokens_out) if judge.prices.stated else None,
    )


def _passes(request: Request, template: Template) -> list[Pass]:
    """The prompts of all stages up to the first that asks for scores."""
    found: list[Pass] = []
    answered: list[PassResult] = []
    while stage := plan(request, MODES[request.mode], template, answered):
        found += stage
        if not all(one.is_text for one in stage):
            break
        answered += [
            one.result(Reply(text="x" * round(one.max_tokens * CHARS_PER_TOKEN))) for one in stage
        ]
    return found
