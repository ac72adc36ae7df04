"""The engine against other ways to read the same scores from the same weights, on this machine's CPU.

Random weights in LLaMA's geometry (4 M and 90 M parameters), prompts of random ids with lognormal lengths
(mean about 870 tokens, at most 2,040). All sides of a line run in turns in one process, and each side's
best round counts: noise only ever slows down.
"""

import argparse
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    StoppingCriteria,
    StoppingCriteriaList,
)

from judgestream.adapters.releases.model_config import bundled_models
from judgestream.core.templates import JUDGELM
from judgestream.engine.checkpoint import load_tokens
from judgestream.engine.decoder import Decoder
from judgestream.engine.grammar import ScoreTree
from judgestream.engine.judge import row_tokens_of
from judgestream.engine.packing import pack
from judgestream.engine.readout import prefill
from judgestream.engine.row_threads import RowThreadPool
from judgestream.engine.tokens import Tokens
from tests.benchmarks.prompts import VOCABULARY, both_orders, random_prompts
from tests.benchmarks.report import Line

SCORE_TOKENS = 4
"""What a JudgeLM judge writes before its newline ends the line: "9 2" and the newline, digits split."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Size:
    hidden: int
    layers: int
    intermediate: int
    prompts: int
    kv_heads: int | None = None


SIZES = {
    "4M": Size(hidden=256, layers=4, intermediate=704, prompts=64),
    "90M": Size(hidden=768, layers=12, intermediate=2112, prompts=12),
    "135M": Size(hidden=576, layers=30, intermediate=1536, prompts=4, kv_heads=3),
}
"""The last one has the layers of SmolLM2-135M. It is compared in int8 only."""


def random_model(size: Size, dtype: torch.dtype) -> LlamaForCausalLM:
    torch.manual_seed(0)
    model = LlamaForCausalLM(
        LlamaConfig(
            vocab_size=VOCABULARY,
            hidden_size=size.hidden,
            num_hidden_layers=size.layers,
            intermediate_size=size.intermediate,
            num_attention_heads=size.hidden // 64,
            num_key_value_heads=size.kv_heads or size.hidden // 64,
            max_position_embeddings=4096,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            initializer_range=0.1,
        )
    )
    torch.nn.Module.to(model, dtype)
    model.eval()
    return model


@cache
def tokens() -> Tokens:
    return load_tokens(bundled_models() / "judges" / "tiny")


@cache
def pair_tree() -> ScoreTree:
    form = JUDGELM.forms["pair"]
    return ScoreTree.build(form.grammar, tokens(), form.render("q", ("a", "b"), None))


class Sides:
    """Every way to judge the prompts with one model; each returns something per prompt."""

    def __init__(self, model: LlamaForCausalLM, prompts: Sequence[list[int]]) -> None:
        self.model = model
        self.decoder = Decoder.from_model(model)
        self.lanes = RowThreadPool(self.decoder.device)
        self.prompts = prompts

    def engine(self, budget: int | None = None) -> Tensor:
        """The joint distribution [N, 100]."""
        tree = pair_tree()
        found: dict[int, Tensor] = {}
        rows = pack(
            self.prompts, budget=budget or row_tokens_of(self.decoder), extra=len(tree.tokens)
        )
        for filled in self.lanes.run(
            lambda row: prefill(self.decoder, row, tree, tokens().ends, keep_kv_cache=False), rows
        ):
            found |= dict(zip(filled.row.prompts, filled.joint, strict=True))
        return torch.stack([found[at] for at in range(len(self.prompts))])

    @torch.inference_mode()
    def loop(self) -> Tensor:
        """One prompt after the other, prefill only, transformers: last logits [N, V]."""
        return torch.stack(
            [
                self.model(torch.tensor([p]), use_cache=False, logits_to_keep=1).logits[0, -1]
                for p in self.prompts
            ]
        )

    @torch.inference_mode()
    def padded(self, *, sort: bool, batch: int = 16) -> Tensor:
        """Right-padded batches with their mask, in arrival order or sorted by length: last logits."""
        order = list(range(len(self.prompts)))
        if sort:
            order.sort(key=lambda at: len(self.prompts[at]))
        found: dict[int, Tensor] = {}
        for start in range(0, len(order), batch):
            chosen = order[start : start + batch]
            ids, mask = _pad([self.prompts[at] for at in chosen], left=False)
            states = self.model.model(ids, attention_mask=mask, use_cache=False).last_hidden_state
            ends = mask.sum(1) - 1
            logits = self.model.lm_head(states[torch.arange(len(chosen)), ends])
            found |= dict(zip(chosen, logits, strict=True))
        return torch.stack([found[at] for at in range(len(self.prompts))])

    @torch.inference_mode()
    def generated(self, new: int) -> None:
        """transformers' `generate`, one prompt after the other."""
        for p in self.prompts:
            self._generate(torch.tensor([p]), torch.ones(1, len(p), dtype=torch.long), new)

    @torch.inference_mode()
    def generated_batches(self, new: int, batch: int = 16) -> None:
        """transformers' `generate` on left-padded batches in arrival order."""
        for start in range(0, len(self.prompts), batch):
            ids, mask = _pad(self.prompts[start : start + batch], left=True)
            self._generate(ids, mask, new)

    @torch.inference_mode()
    def judgelm(self) -> None:
        """JudgeLM's published loop: batch 1, sampled, and after every token the text is looked at."""
        for p in self.prompts:
            stop = StoppingCriteriaList([_StopAtText(len(p))])
            ids = torch.tensor([p])
            self.model.generate(  # type: ignore[misc]
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=0.2,
                max_new_tokens=SCORE_TOKENS,
                stopping_criteria=stop,
                pad_token_id=0,
            )

    def _generate(self, ids: Tensor, mask: Tensor, new: int) -> None:
        self.model.generate(  # type: ignore[misc]
            ids,
            attention_mask=mask,
            do_sample=False,
            min_new_tokens=new,
            max_new_tokens=new,
            pad_token_id=0,
        )


class _StopAtText(StoppingCriteria):
    """Decodes everything written so far, every time, and looks for the newline."""

    def __init__(self, prompt: int) -> None:
        self._prompt = prompt

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> bool:
        return "\n" in tokens().tokenizer.decode(input_ids[0, self._prompt :].tolist())[-1:]


def _pad(prompts: Sequence[list[int]], *, left: bool) -> tuple[Tensor, Tensor]:
    width = max(map(len, prompts))
    ids = torch.zeros((len(prompts), width), dtype=torch.long)
    mask = torch.zeros_like(ids)
    for row, p in enumerate(prompts):
        at = slice(width - len(p), width) if left else slice(0, len(p))
        ids[row, at] = torch.tensor(p)
        mask[row, at] = 1
    return ids, mask


def best(
    sides: dict[str, Callable[[], object]],
    rounds: int,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, float]:
    """Seconds of each side's best round, by the clock; the sides take turns."""
    found = dict.fromkeys(sides, float("inf"))
    for _ in range(rounds):
        for name, side in sides.items():
            started = clock()
            side()
            found[name] = min(found[name], clock() - started)
    return found


def linear_rate(size: Size, dtype: torch.dtype, rounds: int) -> float:
    """FLOP/s of this machine's matrix products alone, at the model's own shapes and 1,024 rows."""
    h, i = size.hidden, size.intermediate
    shapes = ((h, 3 * h), (h, h), (h, 2 * i), (i, h))
    pairs = [
        (torch.randn(1024, inner).to(dtype), torch.randn(outer, inner).to(dtype))
        for inner, outer in shapes
    ]

    def run() -> None:
        for _ in range(20):
            for x, weight in pairs:
                torch.nn.functional.linear(x, weight)

    seconds = best({"linear": run}, rounds + 2)["linear"]
    return 20 * sum(2 * 1024 * a * b for a, b in shapes) / seconds


def compare(name: str, dtype: torch.dtype, rounds: int) -> None:
    size = SIZES[name]
    prompts = random_prompts(size.prompts)
    real = sum(map(len, prompts))
    sides = Sides(random_model(size, dtype), prompts)
    ways: dict[str, Callable[[], object]] = {
        "engine": sides.engine,
        "loop": sides.loop,
        "generate-8": lambda: sides.generated(8),
    }
    if name == "4M":
        ways |= {
            "sorted": lambda: sides.padded(sort=True),
            "padded": lambda: sides.padded(sort=False),
            "left-padded generate-4": lambda: sides.generated_batches(SCORE_TOKENS),
        }
    seconds = best(ways, rounds)
    goals = {
        "padded": (2.5, "right-padded batches of 16 in arrival order, prefill only"),
        "sorted": (1.3, "right-padded batches of 16 sorted by length, prefill only"),
        "loop": (1.0, "transformers, batch 1, prefill only"),
        "generate-8": (1.4, "transformers generate, batch 1, 8 tokens"),
        "left-padded generate-4": (
            3.0,
            "transformers generate, left-padded batches of 16, 4 tokens",
        ),
    }
    form = str(dtype).removeprefix("torch.")
    for way, (goal, text) in goals.items():
        if way not in seconds:
            continue
        Line(
            bench=f"engine-{name}-{form}-vs-{way.replace(' ', '-')}",
            ours=round(real / seconds["engine"]),
            other=round(real / seconds[way]),
            unit="prompt tokens/s",
            ratio=round(seconds[way] / seconds["engine"], 3),
            goal=goal,
            how=f"{text}; ours reads all 100 score lines; {size.prompts} prompts, mean"
            f" {real // size.prompts} tokens; best of {rounds} rounds in turns;"
            f" {torch.get_num_threads()} threads",
        ).show()
    show_share(name, dtype, prompts, seconds["engine"], rounds)


def show_share(
    name: str, dtype: torch.dtype, prompts: Sequence[list[int]], seconds: float, rounds: int
) -> None:
    """The model's FLOP/s over those of bare matrix products. FLOP of a prompt of S tokens: 2 N S of the
    linear layers and 2 S^2 d L of causal attention (the project's performance notes, section 1.1)."""
    size, form = SIZES[name], str(dtype).removeprefix("torch.")
    h, i = size.hidden, size.intermediate
    rate = linear_rate(size, dtype, rounds)
    linear = 2 * size.layers * (4 * h * h + 3 * h * i) * sum(map(len, prompts))
    attention = 2 * h * size.layers * sum(len(p) ** 2 for p in prompts)
    Line(
        bench=f"engine-{name}-{form}-share-of-linear-rate",
        ours=round((linear + attention) / seconds / 1e9, 1),
        other=round(rate / 1e9, 1),
        unit="GFLOP/s",
        ratio=round((linear + attention) / seconds / rate, 3),
        goal=0.5 if name == "4M" else 0.8,
        how="the model's FLOP for every prompt token, causal attention in, those that the engine leaves out"
        " too, over the rate of bare matrix products of the linear layers' shapes; linear layers alone"
        f" {linear / seconds / rate:.2f}",
    ).show()


def against_judgelm(name: str, dtype: torch.dtype, rounds: int) -> None:
    """JudgeLM's own loop, on both orders of every request, as a fair judgement needs them."""
    size, form = SIZES[name], str(dtype).removeprefix("torch.")
    prompts = both_orders(size.prompts // 2)
    sides = Sides(random_model(size, dtype), prompts)
    seconds = best({"engine": sides.engine, "judgelm": sides.judgelm}, rounds)
    real = sum(map(len, prompts))
    Line(
        bench=f"engine-{name}-{form}-vs-judgelm",
        ours=round(real / seconds["engine"]),
        other=round(real / seconds["judgelm"]),
        unit="prompt tokens/s",
        ratio=round(seconds["judgelm"] / seconds["engine"], 3),
        goal=2.0,
        how="JudgeLM's loop: batch 1, sampled, text looked at after each of 4 tokens; both orders of"
        f" {len(prompts) // 2} requests; ours reads all 100 score lines; best of {rounds} rounds in"
        f" turns; {torch.get_num_threads()} threads",
    ).show()


def exactness() -> None:
    """The largest difference of any score line's probability between a shared row and batch 1."""
    prompts = random_prompts(24)
    sides = Sides(random_model(SIZES["4M"], torch.float32), prompts)
    together = sides.engine(16_384)
    alone = torch.stack([Sides(sides.model, [p]).engine()[0] for p in prompts])
    apart = float(
        (together / together.sum(1, keepdim=True) - alone / alone.sum(1, keepdim=True)).abs().max()
    )
    same = float((together.argmax(1) == alone.argmax(1)).float().mean())
    Line(
        bench="engine-4M-float32-batch-independence",
        ours=apart,
        other=None,
        unit="largest difference of a probability",
        ratio=apart,
        goal=1e-5,
        at_most=True,
        how=f"24 prompts in long rows and each alone; most probable score line the same for {same:.0%}",
    ).show()


def sharing() -> None:
    """All ordered pairs of six answers, as a tournament asks them."""
    rng = random.Random(5)

    def words(n: int) -> list[int]:
        return [rng.randrange(3, VOCABULARY) for _ in range(n)]

    question, suffix, answers = words(120), words(190), [words(250) for _ in range(6)]
    prompts = [[*question, *a, *b, *suffix] for a in answers for b in answers if a is not b]
    sides = Sides(random_model(SIZES["4M"], torch.float32), prompts)
    budget = 1 + sum(map(len, prompts))
    rows = pack(prompts, budget=budget)
    seconds = best(
        {"shared": lambda: sides.engine(budget), "apart": lambda: sides.engine(1)}, rounds=2
    )
    plain, shared = sum(map(len, prompts)), sum(len(row.ids) for row in rows)
    Line(
        bench="engine-shared-prefixes-tokens",
        ours=shared,
        other=plain,
        unit="tokens run",
        ratio=round(plain / shared, 3),
        goal=1.6,
        how="all 30 ordered pairs of 6 answers: question 120, answers 250 each, instruction 190 tokens;"
        f" time ratio {seconds['apart'] / seconds['shared']:.2f}",
    ).show()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="torch threads; 0: torch's choice")
    parser.add_argument("--sizes", nargs="*", choices=list(SIZES), default=list(SIZES))
    parser.add_argument(
        "--checkpoint", type=Path, help="weights of the size 135M, for int8; default: random ones"
    )
    parser.add_argument(
        "--peers",
        nargs="*",
        choices=["vllm"],
        default=[],
        help="compare with these only; each gets a separate environment (vllm: 6 GB)",
    )
    options = parser.parse_args(arguments)
    if options.peers:
        from tests.benchmarks import against_vllm

        against_vllm.run(options.sizes, options.rounds)
        return 0
    if options.threads:
        torch.set_num_threads(options.threads)
    exactness()
    sharing()
    from tests.benchmarks import int8  # needs this module

    for name in options.sizes:
        int8.compare(name, options.rounds, options.checkpoint if name == "135M" else None)
        if name == "135M":
            continue
        for dtype in (torch.float32, torch.bfloat16):
            compare(name, dtype, options.rounds)
            against_judgelm(name, dtype, options.rounds)
    return 0
