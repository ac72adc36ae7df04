"""Pairs of several models' answers, judged by a teacher."""

import os
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.core.costs import Prices
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import CHAT
from judgestream.terminal.exit_codes import ExitCode
from judgestream_trainer.labelling.budget import Budget
from judgestream_trainer.labelling.build import build
from judgestream_trainer.labelling.interrupts import Interrupt, catch_signals
from judgestream_trainer.labelling.plan import Plan
from judgestream_trainer.labelling.run import EndReason
from judgestream_trainer.labelling.teacher import Teacher, endpoint_teacher, release_teacher


@dataclass(frozen=True, kw_only=True, slots=True)
class TeacherOptions:
    """The teacher and its limits.

    endpoint            URL and model of an endpoint; or `judge`, a checkpoint, which runs on `device`
    key_variable        environment variable with the endpoint's key; "": none
    template            of an endpoint's prompts; None: the default
    deadline_s          for one judgement
    price_in, price_out per million prompt tokens and generated tokens
    budget              stop before this much is spent; None: no limit
    """

    endpoint: tuple[str, str] | None
    judge: Path | None
    device: str
    key_variable: str
    template: str | None
    max_tokens: int
    concurrency: int
    deadline_s: float
    price_in: float
    price_out: float
    budget: float | None


def label(plan: Plan, options: TeacherOptions, console: Console) -> ExitCode:
    """NO when judgements are missing. OK when SIGTERM stopped it: finished judgements are kept."""
    budget = _budget(options)
    with catch_signals() as interrupt:
        try:
            ended = build(plan, _teacher(options, interrupt), budget, interrupt, console)
        except KeyboardInterrupt:
            console.print("stopped at once; finished judgements are kept", style="yellow")
            return ExitCode.INTERRUPTED
    if ended is EndReason.INTERRUPTED and interrupt.signal is not None:
        return ExitCode.INTERRUPTED if interrupt.signal.name == "SIGINT" else ExitCode.OK
    return ExitCode.OK if ended is EndReason.DONE else ExitCode.NO


def _budget(options: TeacherOptions) -> Budget:
    if options.budget is not None and not (options.price_in or options.price_out):
        raise ConfigurationError(
            "--budget needs prices: give --price-in and --price-out, per million tokens"
        )
    if min(options.price_in, options.price_out, options.budget or 0.0) < 0:
        raise ConfigurationError("--price-in, --price-out and --budget must not be negative")
    return Budget(price_in=options.price_in, price_out=options.price_out, limit=options.budget)


def _teacher(options: TeacherOptions, interrupt: Interrupt) -> Teacher:
    if options.max_tokens < 0:
        raise ConfigurationError(f"--max-tokens {options.max_tokens}: use 0 or more")
    if options.judge is not None and options.endpoint is None:
        return _release(options.judge, options, interrupt)
    if options.judge is not None or options.endpoint is None:
        raise ConfigurationError("name one teacher: --teacher URL MODEL, or --judge FOLDER")
    url, model = options.endpoint
    if options.concurrency < 1 or options.deadline_s <= 0:
        raise ConfigurationError("--concurrency must be at least 1, and --deadline above 0 seconds")
    endpoint = Endpoint(
        url=url,
        model=model,
        key=_key(options.key_variable),
        concurrency=options.concurrency,
        # the text is all that is needed
        top_logprobs=0,
        deadline_s=options.deadline_s,
        prices=Prices(per_million_in=options.price_in, per_million_out=options.price_out),
    )
    return endpoint_teacher(endpoint, options.template or CHAT.id)


def _release(folder: Path, options: TeacherOptions, interrupt: Interrupt) -> Teacher:
    if options.template is not None:
        raise ConfigurationError("--template is for --teacher: a checkpoint names its own")
    return release_teacher(folder, device=options.device, wanted=lambda: interrupt.signal is None)


def _key(variable: str) -> str:
    if not variable:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise ConfigurationError(
            f"environment variable {variable} is not set: export it with the key"
        )
    return key
