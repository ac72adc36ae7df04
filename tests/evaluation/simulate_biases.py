"""Simulated judges with known biases, and how often the estimators' intervals hold the truth."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from math import sqrt
from statistics import fmean

import numpy as np

from judgestream.core.preference import Preference
from judgestream.core.types import Style
from judgestream.evaluation.comparisons import Comparison, strengths
from judgestream.evaluation.corrected import Judged, corrected
from judgestream.evaluation.intervals import Interval
from judgestream.evaluation.leaderboard import Battle, leaderboard
from judgestream.evaluation.leniency import leniency_figures
from judgestream.evaluation.position import position_means
from judgestream.evaluation.self_preference import gain_over_labels, self_preference
from judgestream.evaluation.style_control import StyledPair, style_difference, style_effects

OUTCOMES = (Preference.FIRST, Preference.TIE, Preference.SECOND)
Held = list[bool]
"""Whether an interval holds the truth, of each repeat."""


@dataclass(frozen=True, kw_only=True)
class World:
    """Systems with strengths that sum to 0, a tie parameter, and coefficients of normal covariates.

    copied   share of a prompt's comparisons that repeat its first one: verdicts on one prompt go together
    """

    strengths: tuple[float, ...]
    tie: float = -0.5
    coefficients: tuple[float, ...] = ()
    size: int = 3
    copied: float = 0.3


BATTLES = World(strengths=(-1.5, -0.5, 0.0, 0.5, 1.5), coefficients=(0.4, 0.0))


def outcome(draw: np.random.Generator, log_odds: float, tie: float) -> Preference:
    weights = np.exp([log_odds / 2, tie, -log_odds / 2])
    return OUTCOMES[int((weights.cumsum() < draw.random() * weights.sum()).sum())]


def battles(draw: np.random.Generator, world: World, *, prompts: int) -> list[Comparison]:
    """`prompts` clusters of `world.size` comparisons."""
    found: list[Comparison] = []
    for prompt in range(prompts):
        own: list[Comparison] = []
        for _ in range(world.size):
            if own and draw.random() < world.copied:
                own.append(own[0])
                continue
            a, b = draw.choice(len(world.strengths), 2, replace=False).tolist()
            x = tuple(draw.normal(size=len(world.coefficients)).tolist())
            odds = world.strengths[a] - world.strengths[b] + float(np.dot(x, world.coefficients))
            own.append(
                Comparison(
                    first=a,
                    second=b,
                    outcome=outcome(draw, odds, world.tie),
                    cluster=prompt,
                    covariates=x,
                )
            )
        found += own
    return found


def boards(
    draw: np.random.Generator, *, prompts: int, copied: float, resamples: int
) -> tuple[float, float]:
    """The shares of strengths, and of coefficients, inside their intervals, in one sample."""
    world = replace(BATTLES, copied=copied)
    drawn = battles(draw, world, prompts=prompts)
    found = strengths(
        len(world.strengths), drawn, covariates=len(world.coefficients), resamples=resamples, seed=1
    )
    assert found is not None
    sides = ((found.systems, world.strengths), (found.coefficients, world.coefficients))
    shares = [
        fmean(holds(one.interval, truth) for one, truth in zip(ones, truths, strict=True))
        for ones, truths in sides
    ]
    return shares[0], shares[1]


def holds(interval: Interval | None, truth: float) -> bool:
    return interval is not None and interval.low <= truth <= interval.high


def position_pull(draw: np.random.Generator, pull: float = 0.2, pairs: int = 200) -> Held:
    """A judge that with probability `pull` prefers what it sees first; else both orders agree."""
    leans = (draw.random(pairs) < pull).astype(int).tolist()
    means = position_means(leans, [k // 2 for k in range(pairs)])
    truths = {
        "delta_bias": pull,
        "flip_consistency": 1 - pull,
        "bias_toward_first": pull,
        "bias_toward_second": 0.0,
    }
    return [holds(means[name].interval, truth) for name, truth in truths.items()]


def lenient(draw: np.random.Generator, positive: float = 0.8, items: int = 300) -> Held:
    """Follows the criteria in .6 of the items, says "correct" in `positive` of the others."""
    truth = draw.random(items) < 0.55
    said = np.where(draw.random(items) < 0.6, truth, draw.random(items) < positive)
    found = leniency_figures(list(zip(truth.tolist(), said.tolist(), strict=True)))
    return [holds(found["criteria"].interval, 0.6), holds(found["positive"].interval, positive)]


STRENGTHS = (-0.8, 0.0, 0.8)


def verbose(draw: np.random.Generator, worth: float = 1.5, count: int = 150) -> Held:
    """A judge for which a normalised difference of 1 in words is worth `worth` log-odds."""
    found = []
    for number in range(count):
        a, b = draw.choice(len(STRENGTHS), 2, replace=False).tolist()
        styles = (
            Style(words=int(draw.integers(20, 400))),
            Style(words=int(draw.integers(20, 400))),
        )
        gap = style_difference(*styles)[0]
        found.append(
            Battle(
                first=f"s{a}",
                second=f"s{b}",
                outcome=outcome(draw, STRENGTHS[a] - STRENGTHS[b] + worth * gap, -0.5),
                cluster=("prompt", str(number // 2)),
                styles=styles,
            )
        )
    board = leaderboard(found, style_control=True)
    gaps = [style_difference(*one.styles)[0] for one in found if one.styles]
    unit = sqrt(sum(gap * gap for gap in gaps) / len(gaps))
    words = board.style["words"]
    held = [words is not None and holds(words.interval, worth * unit)]
    ratings = {
        place.system: place.rating.scaled(1 / 173.7178, -1000 / 173.7178) for place in board.places
    }
    return held + [holds(ratings[f"s{k}"].interval, s) for k, s in enumerate(STRENGTHS)]


# share of labels, judge's sensitivity and specificity, truth, ICC in prompts of 4, unequal sampling
ERRORS = {
    "100 labels": (0.1, 0.8, 0.7, 0.3, 0.0, False),
    "40 labels": (0.04, 0.8, 0.7, 0.3, 0.0, False),
    "100 labels, ICC .3, unequal": (0.1, 0.8, 0.7, 0.3, 0.3, True),
    "100 labels, good judge": (0.1, 0.99, 0.99, 0.9, 0.2, False),
    "100 labels, rare": (0.1, 0.9, 0.5, 0.05, 0.2, False),
    "100 labels, poor judge": (0.1, 0.6, 0.6, 0.5, 0.2, True),
}


def erring(draw: np.random.Generator, world: str = "100 labels, ICC .3, unequal") -> Held:
    """1,000 answers, and a judge that errs: whether the intervals of the corrections and then of the judge's
    own rate hold the true pass rate."""
    labelled, sensitive, specific, truth, icc, unequal = ERRORS[world]
    spread = (1 - icc) / icc if icc else 0.0
    own = draw.beta(truth * spread, (1 - truth) * spread, 250) if icc else np.full(250, truth)
    passed = (draw.random((250, 4)) < own[:, None]).ravel()
    said = np.where(passed, draw.random(1000) < sensitive, draw.random(1000) >= specific)
    chance = np.where(said, 1.6, 0.7) * labelled if unequal else np.full(1000, labelled)
    known = draw.random(1000) < chance
    items = [
        Judged(
            outcome=bool(s),
            label=bool(p) if k else None,
            cluster=number // 4,
            probability=float(c) if k and unequal else None,
        )
        for number, (s, p, k, c) in enumerate(zip(said, passed, known, chance, strict=True))
    ]
    found = corrected(items, {True: 1.0, False: 0.0})
    assert found is not None
    classic = found.rogan_gladen
    return [
        holds(found.prediction_powered.interval, truth),
        classic is None or holds(classic.interval, truth),
        holds(found.judged.interval, truth),
    ]


def simple_errors(draw: np.random.Generator) -> Held:
    return erring(draw)[:2]


SYSTEMS = ("gpt-x", "claude-x", "llama-x")


def partial(draw: np.random.Generator, gain: float = 0.8, count: int = 180) -> Held:
    """Two judges, each of which adds `gain` log-odds to answers of its family."""
    judged = []
    for number in range(count):
        judge = ("gpt-judge", "claude-judge")[number % 2]
        a, b = draw.choice(len(STRENGTHS), 2, replace=False).tolist()
        own = (SYSTEMS[a][:3] == judge[:3]) - (SYSTEMS[b][:3] == judge[:3])
        odds = STRENGTHS[a] - STRENGTHS[b] + gain * own
        battle = Battle(
            first=SYSTEMS[a],
            second=SYSTEMS[b],
            outcome=outcome(draw, odds, -0.5),
            cluster=("prompt", str(number // 4)),
            styles=None,
        )
        judged.append((judge, battle))
    found = self_preference(judged)
    return [found is not None and holds(found.log_odds.interval, gain)]


def verbose_to_strangers(draw: np.random.Generator, worth: float = 1.5, count: int = 150) -> Held:
    """The same without systems: answers of equal worth."""
    pairs = []
    for number in range(count):
        styles = (
            Style(words=int(draw.integers(20, 400))),
            Style(words=int(draw.integers(20, 400))),
        )
        gap = style_difference(*styles)
        side = outcome(draw, worth * gap[0], -0.5)
        cluster = ("prompt", str(number // 2))
        pairs.append(StyledPair(outcome=side, difference=gap, cluster=cluster))
    unit = sqrt(sum(one.difference[0] ** 2 for one in pairs) / count)
    found = style_effects(pairs)
    words = None if found is None else found.features["words"]
    return [words is not None and holds(words.interval, worth * unit)]


def over_labels(draw: np.random.Generator, gain: float = 0.2, pairs: int = 240) -> Held:
    """A judge that calls its family's answer the winner in `gain` of the pairs, and else agrees with the
    labels. Its family wins .4 of the labels and ties .1, so the gain over them is .2 (1 - .45) = .11.

    The pairs of a prompt are of one strength: three on each.
    """
    wins = draw.dirichlet(np.array([0.4, 0.1, 0.5]) * 4.0, pairs // 3).repeat(3, axis=0)
    labels = 1 - (wins.cumsum(1) < draw.random((pairs, 1))).sum(1)
    favoured = draw.random(pairs) < gain
    sides = draw.choice([1, -1], pairs)
    said = np.where(favoured, 1, labels) * sides
    found = gain_over_labels(
        [Preference(one) for one in said.tolist()],
        [Preference(one) for one in (labels * sides).tolist()],
        sides.tolist(),
        [k // 3 for k in range(pairs)],
    )
    return [found is not None and holds(found.interval, gain * 0.55)]


BIASES: dict[str, tuple[Callable[[np.random.Generator], Held], Sequence[str]]] = {
    "position pull .2": (position_pull, ("delta", "consistency", "first", "second")),
    "leniency .8": (lenient, ("Pc .6", "P+ .8")),
    "length 1.5": (verbose, ("length", "weakest", "middle", "strongest")),
    "length 1.5, systems unknown": (verbose_to_strangers, ("length",)),
    "errs, corrected by labels": (simple_errors, ("prediction-powered", "Rogan-Gladen")),
    "self-preference .8": (partial, ("self-preference",)),
    "self-preference over labels": (over_labels, ("gain",)),
}
"""What is simulated, and the names of the truths that it must hold."""


def recovered(name: str, repeats: int, seed: int = 1) -> dict[str, float]:
    """The share of repeats in which each truth lies in its interval."""
    simulate, truths = BIASES[name]
    draw = np.random.default_rng([seed, len(name), repeats])
    rows = np.array([simulate(draw) for _ in range(repeats)])
    return dict(zip(truths, rows.mean(0).tolist(), strict=True))
