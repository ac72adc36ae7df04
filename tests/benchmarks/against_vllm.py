"""Our engine against vLLM on this machine's CPU: the same weights, prompts, numbers and threads, in turns.

Both orders of every request, as the judging app sends them: both begin with the system line and the
question, and end with the same instruction. vLLM shares beginnings by its prefix cache, which starts empty
every round. vLLM writes four tokens with their 20 likeliest alternatives, as one reads scores from it; ours
gives the joint probability of all 100 score lines. Each side's best round counts, the first round of each
does not.
"""

import shutil
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

from judgestream.adapters.releases.model_config import bundled_models
from tests.benchmarks.engine import (
    SCORE_TOKENS,
    SIZES,
    Sides,
    random_model,
)
from tests.benchmarks.peers import THREADS, VLLM, Vllm
from tests.benchmarks.prompts import both_orders
from tests.benchmarks.report import Line

SAMPLING = {"max_tokens": SCORE_TOKENS, "logprobs": 20, "temperature": 0, "ignore_eos": True}

REST_S = 2.0
"""Before each round: vLLM's worker keeps spinning for about a second after its last answer."""

CASES = (
    ("4M", torch.float32, 1.2),
    ("4M", torch.bfloat16, 1.2),
    ("90M", torch.bfloat16, 1.1),
)
"""Size, numbers, and the ratio aimed at."""


def compare(name: str, dtype: torch.dtype, goal: float, rounds: int) -> None:
    size, form = SIZES[name], str(dtype).removeprefix("torch.")
    prompts = both_orders(size.prompts // 2)
    model = random_model(size, dtype)
    with tempfile.TemporaryDirectory() as folder:
        checkpoint = Path(folder) / "checkpoint"
        model.save_pretrained(checkpoint)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copyfile(bundled_models() / "judges" / "tiny" / file, checkpoint / file)
        with Vllm(checkpoint, dtype=form, log=Path(folder) / "vllm.log") as vllm:
            found = _rounds(Sides(model, prompts), vllm, rounds)
    ours, theirs = found.ours, found.theirs
    real = sum(map(len, prompts))
    Line(
        bench=f"engine-{name}-{form}-vs-vllm",
        ours=round(real / min(ours)),
        other=round(real / min(theirs)),
        unit="prompt tokens/s",
        ratio=round(min(theirs) / min(ours), 3),
        goal=goal,
        how=f"{VLLM}, {SCORE_TOKENS} tokens, 20 logprobs, eager, prefix cache on ({found.cached} of {real}"
        f" prompt tokens from it) and empty at first; ours reads all 100 score lines; both orders of"
        f" {len(prompts) // 2} requests; {THREADS} threads each; best of {rounds} rounds in turns; seconds"
        f" ours {_shown(ours)}, vLLM {_shown(theirs)}; CPU seconds ours {_shown(found.our_cpu)},"
        f" vLLM {_shown(found.their_cpu)}",
    ).show()


@dataclass(kw_only=True, slots=True)
class _Rounds:
    """Seconds and CPU seconds of each side's rounds, and the tokens that vLLM had from its cache in one.
    Where other work disturbs the machine, CPU seconds say more than seconds."""

    ours: list[float] = field(default_factory=list)
    theirs: list[float] = field(default_factory=list)
    our_cpu: list[float] = field(default_factory=list)
    their_cpu: list[float] = field(default_factory=list)
    cached: int = 0


def _rounds(sides: Sides, vllm: Vllm, rounds: int) -> _Rounds:
    """The sides in turns, once to warm up and then `rounds` times."""
    found = _Rounds()
    for turn in range(rounds + 1):
        time.sleep(REST_S)
        answer = vllm.ask(sides.prompts, SAMPLING)
        time.sleep(REST_S)
        started, cpu = time.perf_counter(), time.process_time()
        sides.engine()
        passed, spent = time.perf_counter() - started, time.process_time() - cpu
        if turn == 0:
            continue
        found.theirs.append(answer["seconds"])
        found.their_cpu.append(answer["cpu_seconds"])
        found.ours.append(passed)
        found.our_cpu.append(spent)
        found.cached = answer["cached"]
    return found


def _shown(seconds: list[float]) -> str:
    return " ".join(f"{one:.2f}" for one in seconds)


def run(sizes: list[str], rounds: int) -> None:
    torch.set_num_threads(THREADS)
    for name, dtype, goal in CASES:
        if name in sizes:
            compare(name, dtype, goal, rounds)
