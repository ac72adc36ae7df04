"""Packed training against padded training, on this machine's CPU: same data, same tokens, same loss.

Random weights in LLaMA's geometry, sequences of random ids with lognormal lengths (mean about 870 tokens, at
most 2,040), the last seventh of each supervised. The padded side is what one writes with transformers:
micro-batches of 16 in arrival order, padded on the right to the longest, with their mask. Both sides put only
the supervised columns through the output head, and run in turns; each side's best round counts.

With `--lora RANK` both sides train adapters of that rank on all linear layers of a frozen model: ours, and
peft's. A further line compares our rate with bare matrix products of the layers' shapes.
"""

import argparse
import time
from collections.abc import Callable, Sequence

import torch
from torch.nn.functional import cross_entropy
from transformers import LlamaForCausalLM

from judgestream.engine import training_attention
from judgestream_trainer.recipe import Lora, Optimisation
from judgestream_trainer.training.distributed import World
from judgestream_trainer.training.loop import gradients
from judgestream_trainer.training.lora import adapt
from judgestream_trainer.training.model import flops_per_token, ready
from judgestream_trainer.training.objective import TrainingModel
from judgestream_trainer.training.sequences import TrainingSequence
from tests.benchmarks.engine import SIZES, linear_rate, random_model
from tests.benchmarks.prompts import random_prompts
from tests.benchmarks.report import Line

GOAL, LORA_GOAL = 2.0, 1.5
MICRO_BATCH = 16
ROW_TOKENS = 4096


def sequences_of(count: int) -> list[TrainingSequence]:
    found = []
    for ids in random_prompts(count):
        prompt = len(ids) - len(ids) // 7
        supervised = len(ids) - prompt
        found.append(
            TrainingSequence(
                ids=tuple(ids),
                prompt=prompt,
                score_tokens=supervised,
                wrong=(),
                ends=(0, 0),
                scores=(0, 0),
            )
        )
    return found


def padded(model: LlamaForCausalLM, rows: Sequence[TrainingSequence]) -> float:
    """Add up the gradient; the loss."""
    supervised = sum(len(row.ids) - row.prompt for row in rows)
    total = 0.0
    for at in range(0, len(rows), MICRO_BATCH):
        part = rows[at : at + MICRO_BATCH]
        longest = max(len(row.ids) for row in part)
        ids = torch.zeros(len(part), longest, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for k, row in enumerate(part):
            ids[k, : len(row.ids)] = torch.tensor(row.ids)
            mask[k, : len(row.ids)] = 1
        line, column = zip(
            *((k, c) for k, row in enumerate(part) for c in range(row.prompt, len(row.ids))),
            strict=True,
        )
        lines, columns = torch.tensor(line), torch.tensor(column)
        states = model.model(ids, attention_mask=mask, use_cache=False).last_hidden_state
        logits = model.lm_head(states[lines, columns - 1])
        loss = cross_entropy(logits, ids[lines, columns], reduction="sum") / supervised
        loss.backward()
        total += loss.item()
    return total


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks train")
    parser.add_argument("--size", choices=sorted(SIZES), default="4M")
    parser.add_argument("--lora", type=int, default=0, metavar="RANK", help="train adapters only")
    parser.add_argument("--sequences", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    args = parser.parse_args(arguments)
    torch.set_num_threads(args.threads)
    rows = sequences_of(args.sequences)
    plain = random_model(SIZES[args.size], torch.float32)
    model = random_model(SIZES[args.size], torch.float32)
    ready(model)
    if args.lora:
        adapt(model, Lora(rank=args.lora, alpha=2 * args.lora), seed=1)
        plain = with_peft(plain, args.lora)
    training_model = TrainingModel(model, None, training_attention.KERNELS["buckets"])
    how = Optimisation(batch=len(rows), other_lr=0, warmup=0, steps=1, row_tokens=ROW_TOKENS)
    alone = World(device=torch.device("cpu"))
    sides: dict[str, Callable[[], float]] = {
        "packed": lambda: gradients(training_model, rows, how, alone),
        "padded": lambda: padded(plain, rows),
    }
    best = dict.fromkeys(sides, float("inf"))
    losses: dict[str, float] = {}
    for _ in range(args.rounds):
        for name, side in sides.items():
            model.zero_grad()
            plain.zero_grad()
            started = time.perf_counter()
            losses[name] = side()
            best[name] = min(best[name], time.perf_counter() - started)
    apart = abs(losses["packed"] - losses["padded"])
    if apart > 1e-4:
        raise RuntimeError(f"the two sides' losses differ by {apart}: {losses}")
    tokens = sum(len(row.ids) for row in rows)
    what = f"training {args.size}" + (f" LoRA {args.lora}" if args.lora else "")
    Line(
        bench=f"{what}: packed against padded",
        ours=round(tokens / best["packed"], 1),
        other=round(tokens / best["padded"], 1),
        unit="real tokens/s, forward and backward",
        ratio=round(best["padded"] / best["packed"], 2),
        goal=LORA_GOAL if args.lora else GOAL,
        how=f"{len(rows)} sequences, {tokens} tokens, rows of {ROW_TOKENS}; padded: {MICRO_BATCH} in"
        f" arrival order, masked; fp32, {args.threads} threads, best of {args.rounds} in turns;"
        f" losses {apart:.1e} apart",
    ).show()
    if args.lora:
        mean = tokens / len(rows)
        ours = flops_per_token(model, mean) * tokens / best["packed"]
        bare = linear_rate(SIZES[args.size], torch.float32, args.rounds)
        Line(
            bench=f"{what}: share of the matrix rate",
            ours=round(ours / 1e9, 1),
            other=round(bare / 1e9, 1),
            unit="GFLOP/s",
            ratio=round(ours / bare, 3),
            goal=0.6,
            how="the model's FLOP of forward and backward, none for the gradients of frozen weights, over"
            " the rate of bare matrix products of the linear layers' shapes",
        ).show()
    return 0


def with_peft(model: LlamaForCausalLM, rank: int) -> LlamaForCausalLM:
    """The model with peft's adapters, which start without effect, as ours do."""
    from peft import LoraConfig, inject_adapter_in_model

    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=list(Lora().targets))
    inject_adapter_in_model(config, model)  # in place
    for name, parameter in model.named_parameters():
        parameter.requires_grad_("lora_" in name)
    return model
