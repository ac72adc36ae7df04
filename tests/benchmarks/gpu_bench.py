"""Inputs of the GPU benchmark: a judge of random weights, prompts of random ids, and a clock.

FLOPs: 2 per weight of the linear layers and token, and 2 S^2 d L for the causal attention of S tokens; the
head's few rows are left out, and so is what the score branches behind the prompts cost.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlamaConfig, LlamaForCausalLM

from judgestream.engine.decoder import Decoder
from judgestream.engine.devices import tflops_of
from judgestream.engine.packing import pack
from judgestream.engine.readout import prefill
from tests.benchmarks.engine import pair_tree, tokens
from tests.benchmarks.prompts import lengths
from tests.benchmarks.report import Line

SAMPLES = 5000
"""JudgeLM judges this many in 3 minutes on eight A100s (its paper's abstract)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    """A judge's geometry, and how much it is asked: `shrink` divides the prompts' lengths."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    vocabulary: int
    prompts: int
    budgets: tuple[int, ...]
    loop_prompts: int
    shrink: int
    rounds: int


SEVEN_B = Size(
    hidden=4096,
    layers=32,
    heads=32,
    intermediate=11008,
    vocabulary=32_000,
    prompts=192,
    budgets=(4096, 8192, 16_384, 32_768),
    loop_prompts=16,
    shrink=1,
    rounds=2,
)
TINY = Size(
    hidden=64,
    layers=2,
    heads=4,
    intermediate=176,
    vocabulary=2048,
    prompts=8,
    budgets=(256, 512),
    loop_prompts=2,
    shrink=16,
    rounds=1,
)


class Bench:
    """One device, one model, one set of prompts, and how to time them."""

    def __init__(self, size: Size, device: torch.device) -> None:
        self.size = size
        self.device = device
        self.rng = random.Random(11)
        self.prompts = [self.words(n // size.shrink) for n in lengths(size.prompts)]
        self.model = self._random_model()
        self.peak = self._peak()

    def words(self, count: int) -> list[int]:
        return [self.rng.randrange(3, self.size.vocabulary) for _ in range(count)]

    def seconds(self, run: Callable[[], object], rounds: int | None = None) -> float:
        """The best round's, after one that is not counted."""
        run()
        return min(self.once(run) for _ in range(rounds or self.size.rounds))

    def once(self, run: Callable[[], object]) -> float:
        self._wait()
        started = time.perf_counter()
        run()
        self._wait()
        return time.perf_counter() - started

    def judged(self, decoder: Decoder, prompts: Sequence[list[int]], budget: int) -> Tensor:
        """The joint distribution of each prompt's score lines, [N, L] on the CPU."""
        tree = pair_tree()
        found: dict[int, Tensor] = {}
        for row in pack(prompts, budget=budget, extra=len(tree.tokens)):
            filled = prefill(decoder, row, tree, tokens().ends, keep_kv_cache=False)
            found |= dict(zip(row.prompts, filled.joint.cpu(), strict=True))
        return torch.stack([found[at] for at in range(len(prompts))])

    def flops(self, prompts: Sequence[list[int]]) -> float:
        size = self.size
        weights = size.layers * (4 * size.hidden**2 + 3 * size.hidden * size.intermediate)
        return sum(
            2.0 * weights * len(p) + 2.0 * len(p) ** 2 * size.hidden * size.layers for p in prompts
        )

    def judge_line(
        self,
        name: str,
        seconds: float,
        how: str,
        *,
        peak: float | None = None,
        goal: float | None = None,
    ) -> None:
        """Samples per second, with the share of the peak as what is aimed at."""
        mfu = self.flops(self.prompts) / seconds / (peak or self.peak[0])
        rate = len(self.prompts) / seconds
        Line(
            bench=f"gpu-{name}",
            ours=round(rate, 2),
            other=None,
            unit="samples/s",
            ratio=round(mfu, 4),
            goal=goal if self.known else None,
            how=f"{how}; {round(sum(map(len, self.prompts)) / seconds)} prompt tokens/s;"
            f" {SAMPLES} samples in {SAMPLES / rate:.1f} s; ratio: share of {self.peak[1]};"
            f" {len(self.prompts)} prompts, mean {self.mean} tokens",
        ).show()

    @property
    def known(self) -> bool:
        """Whether goals apply: to GPUs whose peak is known, not to a toy on a CPU."""
        return self.device.type == "cuda" and self.size is SEVEN_B

    @property
    def mean(self) -> int:
        return sum(map(len, self.prompts)) // len(self.prompts)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def _random_model(self) -> LlamaForCausalLM:
        torch.manual_seed(0)
        size = self.size
        config = LlamaConfig(
            vocab_size=size.vocabulary,
            hidden_size=size.hidden,
            num_hidden_layers=size.layers,
            intermediate_size=size.intermediate,
            num_attention_heads=size.heads,
            max_position_embeddings=4096,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
        )
        with _default_dtype(torch.bfloat16), self.device:
            model = LlamaForCausalLM(config)
        model.eval()
        return model

    def _peak(self) -> tuple[float, str]:
        """FLOP/s to hold figures against, and its name."""
        if self.device.type == "cuda":
            name = torch.cuda.get_device_name(self.device)
            tflops = tflops_of(name)
            if tflops is not None:
                return tflops * 1e12, f"{name}'s {tflops:.0f} TFLOP/s in bf16"
        n = 8192 if self.device.type == "cuda" else 256
        a = torch.randn(n, n, device=self.device, dtype=torch.bfloat16)
        return 2 * n**3 / self.seconds(lambda: a @ a, 5), f"a bare product of {n} x {n}"


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
