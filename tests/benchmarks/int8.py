"""Int8 against the best other arithmetic of this CPU: the same weights, prompts and threads, in turns.

The other side is bf16 where the CPU multiplies it itself, else fp32, the default there.
Both orders of every request, as the judging app sends them; both sides read all 100 score lines. Verdicts are
not compared: those of random weights mean nothing, and a release is checked when it is loaded.
"""

import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import LlamaForCausalLM

from judgestream.engine.checkpoint import load_model
from judgestream.engine.int8 import Int8
from judgestream.engine.prepacked import works
from tests.benchmarks.engine import SIZES, Sides, best, random_model
from tests.benchmarks.prompts import both_orders
from tests.benchmarks.report import Line

GOAL = 1.6


def compare(name: str, rounds: int, checkpoint: Path | None = None) -> None:
    """
    checkpoint  folder whose weights are used; default: random ones of the size `name`
    """
    dtype = torch.bfloat16 if works(torch.bfloat16) else torch.float32
    form = str(dtype).removeprefix("torch.")
    prompts = both_orders(max(1, SIZES[name].prompts // 2))
    # two models: quantised layers replace the others
    before, after = (Sides(_model(name, dtype, checkpoint), prompts) for _ in range(2))
    after.decoder.quantise(Int8.of)
    ways: dict[str, Callable[[], object]] = {"int8": after.engine, form: before.engine}
    seconds = best(ways, rounds + 1)  # one more: each side's first round prepares its products
    cpu = best(ways, rounds, time.process_time)
    real = sum(map(len, prompts))
    Line(
        bench=f"engine-{name}-int8-vs-{form}",
        ours=round(real / seconds["int8"]),
        other=round(real / seconds[form]),
        unit="prompt tokens/s",
        ratio=round(seconds[form] / seconds["int8"], 3),
        goal=GOAL,
        how=f"linear layers in int8, the rest in {form}, against all in {form}, the best other arithmetic of"
        f" this CPU; weights of {checkpoint.name if checkpoint else 'random numbers'}; both orders of"
        f" {len(prompts) // 2} requests, mean {real // len(prompts)} tokens; best of {rounds} rounds in"
        f" turns; {torch.get_num_threads()} threads; by CPU seconds {cpu[form] / cpu['int8']:.2f}",
    ).show()


def _model(name: str, dtype: torch.dtype, checkpoint: Path | None) -> LlamaForCausalLM:
    if checkpoint is None:
        return random_model(SIZES[name], dtype)
    model = load_model(checkpoint, dtype)
    if not isinstance(model, LlamaForCausalLM):
        raise TypeError(
            f"{checkpoint} is a {type(model).__name__}, the benchmark takes LLaMA models"
        )
    model.eval()
    return model
