"""The prompts of the engine's benchmarks: random ids, lognormal lengths (mean about 870, at most 2,040)."""

import random

VOCABULARY = 2048

SYSTEM, INSTRUCTION = 17, 190
"""Tokens of JudgeLM's first line and of what stands behind the answers, the same in every prompt."""


def lengths(count: int, seed: int = 7) -> list[int]:
    rng = random.Random(seed)
    return [max(64, min(2040, int(rng.lognormvariate(6.72, 0.5)))) for _ in range(count)]


def random_prompts(count: int) -> list[list[int]]:
    rng = random.Random(11)
    return [[rng.randrange(3, VOCABULARY) for _ in range(n)] for n in lengths(count)]


def both_orders(requests: int) -> list[list[int]]:
    """Two prompts per request, of the lengths that the other benchmarks use; a fifth of what is a request's
    own is its question, the rest two answers."""
    rng = random.Random(13)

    def words(count: int) -> list[int]:
        return [rng.randrange(3, VOCABULARY) for _ in range(count)]

    system, instruction = words(SYSTEM), words(INSTRUCTION)
    prompts = []
    for length in lengths(requests):
        own = max(40, length - SYSTEM - INSTRUCTION)
        question = [*system, *words(own // 5)]
        first = words(int(own * rng.uniform(0.25, 0.55)))
        second = words(max(1, own - own // 5 - len(first)))
        prompts.append([*question, *first, *second, *instruction])
        prompts.append([*question, *second, *first, *instruction])
    return prompts
