"""The engine on one GPU: `python -m tests.benchmarks.gpu_engine`, under ten minutes on one H100 or H200.

A judge with random weights in JudgeLM-7B's geometry (LLaMA-7B), made on the device itself in bf16; prompts of
random ids with lognormal lengths, mean about 900 tokens. One JSON line per figure. `--tiny` runs every step
on a CPU with a toy of the same shape, to show that the script is whole; its figures mean nothing.
"""

import argparse
import statistics
from functools import partial

import torch
from torch import Tensor
from transformers import StoppingCriteria, StoppingCriteriaList

from judgestream.engine.attention import AttentionStep
from judgestream.engine.decoder import Decoder
from judgestream.engine.float8 import Float8
from judgestream.engine.kernels import Trial, candidates_for
from judgestream.engine.tensor_parallel import SplitDecoder
from tests.benchmarks.engine import SCORE_TOKENS, tokens
from tests.benchmarks.gpu_bench import SAMPLES, SEVEN_B, TINY, Bench
from tests.benchmarks.report import Line


def ladder(bench: Bench) -> None:
    """Which kernels work here, how far from the definition, and how fast on a whole row."""
    size = bench.size
    width = size.hidden // size.heads
    trial = Trial.of(bench.device, torch.bfloat16, size.heads, size.heads, width)
    budget = min(16_384, max(size.budgets))
    states = torch.randn(3, budget, size.heads, width, device=bench.device, dtype=torch.bfloat16)
    ends = [0]
    while ends[-1] + bench.mean < budget:
        ends.append(ends[-1] + bench.mean)
    own = tuple(zip(ends, ends[1:], strict=False))
    one = AttentionStep(queries=own, keys=own, causal=True)
    for name, kernel in candidates_for(bench.device).items():
        gap, milliseconds, how = float("nan"), 0.0, "works"
        try:
            gap = trial.check(kernel)
            run = torch.inference_mode()(lambda kernel=kernel: kernel(*states, one, width**-0.5))
            milliseconds = 1000 * bench.seconds(run, 5)
        except Exception as error:
            how = f"is not usable: {error!r}"[:300]
        Line(
            bench=f"gpu-rung-{name}",
            ours=round(milliseconds, 3),
            other=None,
            unit="ms",
            ratio=round(gap, 6) if gap == gap else -1.0,
            goal=None,
            how=f"{how}; one causal round of {len(own)} prompts of {bench.mean} tokens, {size.heads} heads;"
            " ratio: largest difference from the definition in the self-test, -1 if it failed",
        ).show()


def budgets(bench: Bench, decoder: Decoder, name: str) -> tuple[int, float]:
    """Every row budget; the best one and its seconds."""
    found: dict[int, float] = {}
    for budget in bench.size.budgets:
        found[budget] = bench.seconds(partial(bench.judged, decoder, bench.prompts, budget))
        bench.judge_line(
            f"{name}-rows-of-{budget}",
            found[budget],
            f"bf16, attention {decoder.kernel_name}",
            goal=0.5,
        )
    best = min(found, key=found.__getitem__)
    return best, found[best]


class _StopAtNewline(StoppingCriteria):
    """JudgeLM's: the whole output is made text after each token."""

    def __init__(self, prompt: int) -> None:
        self._prompt = prompt

    def __call__(self, input_ids: Tensor, scores: Tensor, **_: object) -> bool:
        written = [
            n % 800 for n in input_ids[0, self._prompt :].tolist()
        ]  # ids that have a text here
        return "\n" in tokens().tokenizer.decode(written)[-1:]


def judgelm_loop(bench: Bench, ours: float) -> None:
    """JudgeLM's published loop over a few of the prompts, against our rate over all of them."""

    @torch.inference_mode()
    def loop() -> None:
        for prompt in bench.prompts[: bench.size.loop_prompts]:
            ids = torch.tensor([prompt], device=bench.device)
            bench.model.generate(  # type: ignore[misc]
                ids,
                attention_mask=torch.ones_like(ids),
                do_sample=True,
                temperature=0.2,
                max_new_tokens=SCORE_TOKENS,
                stopping_criteria=StoppingCriteriaList([_StopAtNewline(len(prompt))]),
                pad_token_id=0,
            )

    asked = bench.prompts[: bench.size.loop_prompts]
    theirs = sum(map(len, asked)) / bench.seconds(loop, 1)
    mine = sum(map(len, bench.prompts)) / ours
    Line(
        bench="gpu-vs-judgelm-loop",
        ours=round(mine),
        other=round(theirs),
        unit="prompt tokens/s",
        ratio=round(mine / theirs, 2),
        goal=5.0 if bench.known else None,
        how=f"batch 1, sampled, text looked at after each of {SCORE_TOKENS} tokens; {len(asked)} prompts",
    ).show()


def orders(bench: Bench, decoder: Decoder, budget: int) -> None:
    """Both orders of requests whose question is shared, against one order: question and reference 300,
    answers 250 each, instruction 190 tokens."""
    shrink = bench.size.shrink
    straight, both = [], []
    for _ in range(bench.size.prompts // 2):
        question, a, b, rest = (bench.words(n // shrink) for n in (300, 250, 250, 190))
        straight.append([*question, *a, *b, *rest])
        both += [straight[-1], [*question, *b, *a, *rest]]
    one = bench.seconds(lambda: bench.judged(decoder, straight, budget))
    two = bench.seconds(lambda: bench.judged(decoder, both, budget))
    Line(
        bench="gpu-both-orders",
        ours=round(two, 4),
        other=round(one, 4),
        unit="s",
        ratio=round(two / one, 3),
        goal=1.9 if bench.known else None,
        at_most=True,
        how=f"{len(straight)} requests of 990 tokens, of which 300 are shared",
    ).show()


def latency(bench: Bench, decoder: Decoder, name: str) -> None:
    prompt = bench.words(900 // bench.size.shrink)
    bench.judged(decoder, [prompt], 1)
    times = [
        1000 * bench.once(lambda: bench.judged(decoder, [prompt], 1))
        for _ in range(5 if bench.size is TINY else 40)
    ]
    Line(
        bench=f"gpu-{name}-one-request",
        ours=round(statistics.median(times), 2),
        other=round(max(times), 2),
        unit="ms",
        ratio=round(statistics.median(times), 2),
        goal=40.0 if bench.known else None,
        at_most=True,
        how=f"one prompt of {len(prompt)} tokens, alone; median of {len(times)}, other: the slowest",
    ).show()


def float8(bench: Bench, decoder: SplitDecoder, budget: int, before: float, name: str) -> None:
    """Speed against bf16 in the same decoder, and how many verdicts stay: of random weights, whose verdicts
    hang by a hair, so a trained judge's own gate is what counts."""
    expected = bench.judged(decoder, bench.prompts, budget)
    decoder.quantise(Float8.of)
    seconds = bench.seconds(lambda: bench.judged(decoder, bench.prompts, budget))
    found = bench.judged(decoder, bench.prompts, budget)
    same = float((_verdicts(found) == _verdicts(expected)).float().mean())
    gap = float((_means(found) - _means(expected)).abs().mean())
    Line(
        bench=f"gpu-{name}-float8",
        ours=round(len(bench.prompts) / seconds, 2),
        other=round(len(bench.prompts) / before, 2),
        unit="samples/s",
        ratio=round(before / seconds, 3),
        goal=1.3 if bench.known else None,
        how=f"rows of {budget}; verdicts alike {same:.1%}, mean difference of a score {gap:.3f} (random"
        f" weights); {SAMPLES} samples in {SAMPLES * seconds / len(bench.prompts):.1f} s",
    ).show()


def _grid(joint: Tensor) -> Tensor:
    """[N, 100] -> [N, 10, 10] that sum to one."""
    return (joint / joint.sum(1, keepdim=True)).view(len(joint), 10, 10)


def _verdicts(joint: Tensor) -> Tensor:
    grid = _grid(joint)
    win = grid.tril(-1).sum((1, 2))  # the first score, by rows, above the second
    lose = grid.triu(1).sum((1, 2))
    return torch.stack((win, 1 - win - lose, lose), 1).argmax(1)


def _means(joint: Tensor) -> Tensor:
    grid, scores = _grid(joint), torch.arange(1.0, 11.0)
    return torch.stack((grid.sum(2) @ scores, grid.sum(1) @ scores), 1)


def memory(bench: Bench, decoder: Decoder, budget: int, name: str) -> None:
    if bench.device.type != "cuda":
        return
    torch.cuda.reset_peak_memory_stats(bench.device)
    bench.judged(decoder, bench.prompts, budget)
    Line(
        bench=f"gpu-{name}-peak-memory",
        ours=round(torch.cuda.max_memory_allocated(bench.device) / 2**30, 2),
        other=None,
        unit="GiB",
        ratio=round(torch.cuda.max_memory_allocated(bench.device) / 2**30, 2),
        goal=None,
        how=f"weights and all, rows of {budget}",
    ).show()


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--tiny", action="store_true", help="a toy on the CPU: is the script whole?"
    )
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    options = parser.parse_args(arguments)
    if not options.tiny and not torch.cuda.is_available():
        parser.error("no GPU here; --tiny runs a toy on the CPU")
    bench = Bench(
        TINY if options.tiny else SEVEN_B, torch.device("cpu" if options.tiny else "cuda")
    )
    ladder(bench)
    decoder = Decoder.from_model(bench.model)
    budget, seconds = budgets(bench, decoder, "eager")
    memory(bench, decoder, budget, "eager")
    judgelm_loop(bench, seconds)
    orders(bench, decoder, budget)
    latency(bench, decoder, "eager")
    name = "split" if options.no_compile else "compiled"
    split = SplitDecoder.from_model(bench.model, [bench.device], compiled=not options.no_compile)
    del decoder
    seconds = bench.seconds(lambda: bench.judged(split, bench.prompts, budget))
    bench.judge_line(name, seconds, f"bf16, rows of {budget}", goal=0.5)
    latency(bench, split, name)
    memory(bench, split, budget, name)
    float8(bench, split, budget, seconds, name)
    memory(bench, split, budget, f"{name}-float8")
    return 0


if __name__ == "__main__":
    import sys

    raise SystemExit(main(sys.argv[1:]))
