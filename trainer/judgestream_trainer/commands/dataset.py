"""`judgestream dataset`: questions and answers in, pairs judged by a teacher out."""

import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from rich.console import Console

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.core.errors import ConfigurationError
from judgestream.core.templates import CHAT
from judgestream_trainer.data.split import Shares
from judgestream_trainer.labelling.budget import Budget
from judgestream_trainer.labelling.build import build
from judgestream_trainer.labelling.interrupts import Interrupt, catch_signals
from judgestream_trainer.labelling.plan import Plan
from judgestream_trainer.labelling.run import EndReason
from judgestream_trainer.labelling.teacher import Teacher, endpoint_teacher, release_teacher

INTERRUPTED = 130


def arguments(parser: ArgumentParser) -> None:
    files = parser.add_argument_group("what to judge (JSON lines, joined by question_id)")
    files.add_argument("--seeds", type=Path, required=True, help="question_id, question_body")
    files.add_argument(
        "--answers", type=Path, nargs="+", required=True, help="a file per model: question_id, text"
    )
    files.add_argument("--references", type=Path, help="question_id, reference")
    files.add_argument(
        "--out", type=Path, required=True, help="the folder to write, or to go on in"
    )
    files.add_argument("--pairs", type=int, default=1, help="pairs per question")
    files.add_argument("--seed", type=int, default=0, help="of the pairs and their order")
    files.add_argument("--max-characters", type=int, default=20_000, help="of a whole pair")
    files.add_argument("--validation", type=float, default=0.05, help="share of the questions")
    files.add_argument("--test", type=float, default=0.05, help="share of the questions")
    files.add_argument(
        "--partial", action="store_true", help="write the files even if judgements are missing"
    )
    who = parser.add_argument_group("the teacher")
    one = who.add_mutually_exclusive_group(required=True)
    one.add_argument(
        "--teacher", nargs=2, metavar=("URL", "MODEL"), help="an OpenAI-compatible endpoint"
    )
    one.add_argument("--judge", type=Path, help="a checkpoint folder of ours")
    who.add_argument("--device", default="cpu", help="of --judge: cpu or cuda")
    who.add_argument("--key-variable", default="", help="environment variable with the key")
    who.add_argument("--template", help=f"how to ask an endpoint (default: {CHAT.id})")
    who.add_argument("--max-tokens", type=int, default=512, help="of an explanation; 0: none")
    who.add_argument("--concurrency", type=int, default=16, help="prompts under way at once")
    who.add_argument("--deadline", type=float, default=120.0, help="seconds for one judgement")
    who.add_argument("--price-in", type=float, default=0.0, help="per million prompt tokens")
    who.add_argument("--price-out", type=float, default=0.0, help="per million written tokens")
    who.add_argument("--budget", type=float, help="stop before more than this is spent in --out")
    who.add_argument(
        "--ask-again", action="store_true", help="ask again what came back as no judgement"
    )


def run(args: Namespace, console: Console) -> int:
    """1: something is left to do; 130: interrupted by Ctrl-C. SIGTERM ends with 0: what was there is kept."""
    plan = Plan(
        seeds=args.seeds,
        answers=args.answers,
        references=args.references,
        out=args.out,
        pairs=args.pairs,
        seed=args.seed,
        max_characters=args.max_characters,
        max_tokens=args.max_tokens,
        shares=Shares(validation=args.validation, test=args.test),
        partial=args.partial,
        ask_again=args.ask_again,
    )
    budget = _budget(args)
    with catch_signals() as interrupt:
        try:
            ended = build(plan, _teacher(args, interrupt), budget, interrupt, console)
        except KeyboardInterrupt:
            console.print("stopped at once; what is judged is kept", style="yellow")
            return INTERRUPTED
    if ended is EndReason.INTERRUPTED and interrupt.signal is not None:
        return INTERRUPTED if interrupt.signal.name == "SIGINT" else 0
    return 0 if ended is EndReason.DONE else 1


def _budget(args: Namespace) -> Budget:
    if args.budget is not None and not (args.price_in or args.price_out):
        raise ConfigurationError(
            "--budget needs prices to reckon with: give --price-in and --price-out, per million tokens"
        )
    if min(args.price_in, args.price_out, args.budget or 0.0) < 0:
        raise ConfigurationError("prices and budget cannot be below 0")
    return Budget(price_in=args.price_in, price_out=args.price_out, limit=args.budget)


def _teacher(args: Namespace, interrupt: Interrupt) -> Teacher:
    if args.max_tokens < 0:
        raise ConfigurationError(f"--max-tokens {args.max_tokens}: give 0 or more")
    if args.judge is not None:
        if args.template is not None:
            raise ConfigurationError("--template is for --teacher: a checkpoint names its own")
        return release_teacher(
            args.judge, device=args.device, wanted=lambda: interrupt.signal is None
        )
    url, model = args.teacher
    if args.concurrency < 1 or args.deadline <= 0:
        raise ConfigurationError("--concurrency must be at least 1, and --deadline above 0 seconds")
    endpoint = Endpoint(
        url=url,
        model=model,
        key=_key(args.key_variable),
        concurrency=args.concurrency,
        top_logprobs=0,  # the text is what counts here
        deadline_s=args.deadline,
        price_in=args.price_in,
        price_out=args.price_out,
    )
    return endpoint_teacher(endpoint, args.template or CHAT.id)


def _key(variable: str) -> str:
    if not variable:
        return ""
    key = os.environ.get(variable, "")
    if not key:
        raise ConfigurationError(f"the environment has no {variable}: export it, with the key")
    return key
