"""Full fine-tune of a random 7B model on one GPU: `python -m tests.benchmarks.gpu_train`. About five minutes.

LLaMA-7B's geometry, fp32 weights with AdamW, bf16 arithmetic, every layer recomputed; sequences of 2,048
random ids in packed rows. Weights need not mean anything for memory and speed. `--tiny` runs the same on a
CPU in seconds, as a test does. Prints JSON lines: tokens/s, MFU (model FLOPs without recomputation, over the
device's bf16 peak) and peak memory.
"""

import argparse
import random
import sys
import time
from typing import Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from judgestream.engine import training_attention
from judgestream.engine.devices import peak_flops
from judgestream_trainer.recipe import Optimisation
from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.loop import gradients
from judgestream_trainer.training.model import flops_per_token, ready, recompute
from judgestream_trainer.training.objective import TrainingModel
from judgestream_trainer.training.optimisers import optimizers, set_rate
from judgestream_trainer.training.sequences import TrainingSequence
from tests.benchmarks.report import Line

SEVEN: dict[str, Any] = {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32}
TINY: dict[str, Any] = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2}


def model_of(tiny: bool, context: int, device: torch.device) -> LlamaForCausalLM:
    """Random weights, made where they are used."""
    sizes = TINY if tiny else SEVEN
    config = LlamaConfig(
        vocab_size=512 if tiny else 32_000,
        num_attention_heads=4 if tiny else 32,
        num_key_value_heads=4 if tiny else 32,
        max_position_embeddings=context,
        **sizes,
    )
    with device:
        return LlamaForCausalLM(config)


def sequences_of(
    count: int, context: int, vocabulary: int, rng: random.Random
) -> list[TrainingSequence]:
    """Full sequences, of which the last seventh is supervised."""
    return [
        TrainingSequence(
            ids=tuple(rng.randrange(3, vocabulary) for _ in range(context)),
            prompt=context - context // 7,
            score_tokens=context // 7,
            wrong=(),
            ends=(0, 0),
            scores=(0, 0),
        )
        for _ in range(count)
    ]


def main(arguments: list[str]) -> int:
    args = _parsed(arguments)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    if device.type == "cpu" and not args.tiny:
        sys.stderr.write("no GPU here: --tiny runs it on a CPU\n")
        return 2
    torch.manual_seed(0)
    model = model_of(args.tiny, args.context, device)
    ready(model)
    recompute(model, args.recompute)
    config = model.config
    kernel = training_attention.choose(
        device,
        torch.bfloat16,
        config.num_attention_heads,
        config.num_key_value_heads or config.num_attention_heads,
        config.hidden_size // config.num_attention_heads,
    )
    training_model = TrainingModel(model, None, training_attention.KERNELS[kernel])
    how = Optimisation(
        batch=args.batch,
        steps=args.steps,
        other_lr=2e-5,
        warmup=0.03,
        optimizer="adamw",
        precision="bfloat16",
        clip=1.0,
        row_tokens=args.row_tokens,
    )
    seconds = _steps(training_model, how, World(device=device), args)
    _report(seconds, model, device, kernel, args)
    return 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.gpu_train")
    parser.add_argument("--tiny", action="store_true", help="a tiny model, on any device")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--batch", type=int, default=32, help="sequences a step")
    parser.add_argument("--context", type=int, default=2048)
    parser.add_argument("--row-tokens", type=int, default=16_384)
    parser.add_argument("--recompute", type=float, default=1.0, help="share of the layers")
    args = parser.parse_args(arguments)
    if args.tiny:
        args.steps, args.batch, args.context, args.row_tokens = 3, 4, 64, 128
    return args


def _steps(
    training_model: TrainingModel, how: Optimisation, world: World, args: argparse.Namespace
) -> list[float]:
    """Seconds of each step, the host's preparation included."""
    rated = optimizers(how, training_model)
    rng = random.Random(5)
    seconds = []
    for step in range(how.steps):
        rows = sequences_of(how.batch, args.context, training_model.model.config.vocab_size, rng)
        started = time.perf_counter()
        set_rate(rated, min(1.0, (step + 1) / 3))
        loss = gradients(training_model, rows, how, world)
        torch.nn.utils.clip_grad_norm_(training_model.parameters(), how.clip)
        for optimizer, _ in rated:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        if world.device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
        sys.stderr.write(f"step {step + 1}/{how.steps}: loss {loss:.3f}, {seconds[-1]:.2f} s\n")
    return seconds


def _report(
    seconds: list[float],
    model: LlamaForCausalLM,
    device: torch.device,
    kernel: str,
    args: argparse.Namespace,
) -> None:
    steady = sorted(seconds[1:])[len(seconds[1:]) // 2]  # the first step allocates
    tokens = args.batch * args.context / steady
    peak = peak_flops(device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    how = (
        f"{name}, {sum(p.numel() for p in model.parameters()) / 1e9:.2f} G parameters, attention {kernel},"
        f" {args.batch} sequences of {args.context}, rows of {args.row_tokens}, recompute {args.recompute},"
        f" fp32 weights, bf16 arithmetic, AdamW; median of {len(seconds) - 1} steps"
    )
    real = peak is not None and not args.tiny
    _line("full fine-tune, tokens", tokens, "tokens/s", 9800 if real else None, how)
    if peak is not None:
        mfu = flops_per_token(model, args.context) * tokens / peak
        _line("full fine-tune, MFU", mfu, "share of bf16 peak", 0.40 if real else None, how)
    if device.type == "cuda":
        gigabytes = torch.cuda.max_memory_allocated(device) / 1e9
        Line(
            bench="full fine-tune, peak memory",
            ours=round(gigabytes, 1),
            other=None,
            unit="GB",
            ratio=round(gigabytes, 1),
            goal=130 if real else None,
            how=how,
            at_most=True,
        ).show()


def _line(bench: str, value: float, unit: str, goal: float | None, how: str) -> None:
    value = round(value, 4)
    Line(bench=bench, ours=value, other=None, unit=unit, ratio=value, goal=goal, how=how).show()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
