"""Coverage of each interval over a grid of true values: `python -m tests.simulations [ROUNDS]`.

Writes the tables of docs/design/statistics.md. The tests assert the same of a few cells with fewer rounds.
"""

import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from math import comb
from statistics import fmean, median

import numpy as np
from numpy.typing import NDArray

from judgestream.evaluation.brier import brier
from judgestream.evaluation.calibration import calibration
from judgestream.evaluation.clusters import clustered_share, share_of_counts
from judgestream.evaluation.contribution import BUCKETS
from judgestream.evaluation.intervals import Interval, paired_difference, wilson_score
from judgestream.evaluation.paired import signed_mean
from judgestream.evaluation.savings import Savings
from judgestream.suites.comparing import compare
from tests.evaluation.simulate import (
    EVEN,
    FEW_TIES,
    NO_TIES,
    RARE_TIES,
    STATISTICS,
    clustered,
    confident,
    coverage,
    figure_and_truth,
    gains,
)
from tests.evaluation.simulate_alarms import WINDOWS, Traffic, day, naive_day
from tests.evaluation.simulate_biases import BIASES, ERRORS, boards, erring, recovered
from tests.evaluation.simulate_drift import alarms
from tests.evaluation.simulate_savings import cascaded, sampled
from tests.evaluation.simulate_tournaments import Design, simulated

SIZES = (20, 50, 100, 200, 500, 1000)


def main(rounds: int) -> None:
    say(f"{datetime.now(UTC).date()}, {rounds} rounds a cell, nominal 95 %, in %.")
    for simulate in (
        shares,
        prompts,
        buckets,
        macro_figures,
        paired,
        errors,
        brier_scores,
        settling,
        tournaments,
        biases,
        leaderboards,
        runs,
        corrections,
        drifting,
        watched_days,
        spending,
        cascades,
    ):
        simulate(rounds)


def shares(_: int) -> None:
    """Exact: every possible count, weighted by its probability."""
    rows = []
    for p in (0.5, 0.8, 0.9, 0.98, 0.995):
        found = []
        for n in SIZES:
            ends = [wilson_score(k, n) for k in range(n + 1)]
            held = [k for k, end in enumerate(ends) if end.low <= p <= end.high]
            found.append(100 * sum(comb(n, k) * p**k * (1 - p) ** (n - k) for k in held))
        rows.append((f"{p}", found))
    table("Wilson, independent verdicts (exact)", "share", [f"n = {n}" for n in SIZES], rows)


def prompts(rounds: int) -> None:
    correlations = (0.0, 0.05, 0.2, 0.5)
    for share in (0.8, 0.95):
        rows = []
        for number in (10, 40, 170):
            for size in (2, 6, 15, 30):
                found, effects = [], []
                for correlation in correlations:
                    draw = seeded(number, size, int(100 * correlation), int(100 * share))
                    clusters = [k // size for k in range(number * size)]
                    means = [
                        clustered_share(
                            clustered(
                                draw,
                                share=share,
                                correlation=correlation,
                                clusters=number,
                                size=size,
                            ),
                            clusters,
                        )
                        for _ in range(rounds)
                    ]
                    found.append(100 * coverage((one.interval for one in means if one), share))
                    effects.append(fmean(one.design_effect for one in means if one))
                rows.append((f"{number} x {size}", [*found, *effects]))
        head = [f"ICC {c}" for c in correlations] + [f"effect {c}" for c in correlations]
        table(f"Shares by prompt, share {share}", "prompts x verdicts", head, rows)


def buckets(rounds: int) -> None:
    """Shares of .8 as the bias windows count them: prompts in 16,384 buckets by a digest."""
    rows = []
    for number in (50, 200, 2000, 20_000):
        found = []
        for size, correlation in ((1, 0.0), (4, 0.5)):
            draw = seeded(number, size)
            ends, effects = [], []
            for _ in range(min(rounds, 1000)):
                copied = draw.random(number) < correlation
                hits = np.where(
                    copied,
                    size * (draw.random(number) < 0.8),
                    draw.binomial(size, 0.8, number),
                )
                at = draw.integers(0, BUCKETS, number)
                cells = zip(
                    np.bincount(at, hits, BUCKETS).astype(int).tolist(),
                    (size * np.bincount(at, minlength=BUCKETS)).tolist(),
                    strict=True,
                )
                mean = share_of_counts(cells)
                assert mean is not None
                ends.append(mean.interval)
                effects.append(mean.design_effect)
            found += [100 * coverage(ends, 0.8), fmean(effects)]
        rows.append((f"{number}", found))
    head = [f"{what}{of}" for of in ("", ", x 4, ICC 0.5") for what in ("coverage", "effect")]
    table("Shares by bucket of prompts", "prompts", head, rows)


def macro_figures(rounds: int) -> None:
    worlds = (
        ("4.5 % ties", FEW_TIES),
        ("1 % ties", RARE_TIES),
        ("no gold ties", NO_TIES),
        ("even", EVEN),
    )
    for name in STATISTICS:
        rows = []
        for label, cells in worlds:
            found = []
            for n in SIZES:
                draw = seeded(n, len(name), int(1000 * cells[1].sum()))
                pairs = [figure_and_truth(draw, cells, n, name) for _ in range(rounds)]
                held = [f.interval.low <= t <= f.interval.high for f, t in pairs if f.interval]
                found.append(100 * fmean(held))
            rows.append((label, found))
        table(f"{name}, over the gold's classes", "gold", [f"n = {n}" for n in SIZES], rows)


def paired(rounds: int) -> None:
    rows = []
    for size in (1, 4, 15):
        for correlation in (0.0, 0.2, 0.5):
            found, naive = [], []
            for difference in (0.0, 0.05, 0.2):
                draw = seeded(size, int(10 * correlation), int(100 * difference))
                signs = [
                    gains(draw, difference, correlation, prompts=60, size=size)
                    for _ in range(rounds)
                ]
                clusters = [k // size for k in range(60 * size)]
                means = [signed_mean(one, clusters) for one in signs]
                found.append(100 * coverage((one.interval for one in means if one), difference))
                plain: list[Interval | None] = [
                    paired_difference(s.count(1), s.count(-1), len(s)) for s in signs
                ]
                naive.append(100 * coverage(plain, difference))
            rows.append((f"{size}, {correlation}", [*found, *naive]))
    head = [f"difference {d}" for d in (0.0, 0.05, 0.2)] + ["unclustered 0", "0.05", "0.2"]
    table("Paired difference, 60 prompts, 15 % lost", "verdicts a prompt, ICC", head, rows)


def errors(rounds: int) -> None:
    sizes = (50, 100, 200, 500, 1000)
    rows, told = [], []
    for sharp in (False, True):
        for error in (0.0, 0.02, 0.05, 0.1):
            found, means = [], []
            for n in sizes:
                draw = seeded(n, int(100 * error), int(sharp))
                seen = [
                    calibration(*confident(draw, n, error=error, sharp=sharp))
                    for _ in range(rounds)
                ]
                known = [one for one in seen if one is not None]
                found.append(100 * coverage((one.interval for one in known), error))
                means += [fmean(one.ece for one in known), fmean(one.debiased for one in known)]
            label = f"{error}{', sharp' if sharp else ''}"
            rows.append((label, found))
            told.append((label, means))
    table("Calibration error", "true error", [f"n = {n}" for n in sizes], rows)
    head = [f"{what} {n}" for n in sizes for what in ("raw", "debiased")]
    table("Calibration error, mean estimates (not in %)", "true error", head, told, digits=3)


def brier_scores(rounds: int) -> None:
    rows = []
    for label, weights in (("sharp", [6.0, 0.5, 1.0]), ("vague", [2.0, 1.0, 2.0])):
        found = []
        for n in SIZES:
            draw = seeded(n, len(label))
            own = draw.dirichlet(weights, 100_000)
            truth = float(1.0 - (own**2).sum(1).mean())
            scores = []
            for _ in range(rounds):
                told = draw.dirichlet(weights, n)
                picked = (told.cumsum(1) < draw.random((n, 1))).sum(1)
                scores.append(
                    brier([dict(enumerate(row)) for row in told.tolist()], picked.tolist())
                )
            found.append(100 * coverage((one.interval for one in scores if one), truth))
        rows.append((label, found))
    table("Brier score of a calibrated judge", "judge", [f"n = {n}" for n in SIZES], rows)


# position bias in nats, noise of each order, share below which an endpoint tells 0; None: it tells no shares
JUDGES: tuple[tuple[str, float, float, float | None], ...] = (
    ("no bias", 0.0, 0.0, 0.0),
    ("bias 1 nat", 1.0, 0.0, 0.0),
    ("bias 3 nats", 3.0, 0.0, 0.0),
    ("bias 6 nats", 6.0, 0.0, 0.0),
    ("no bias, each order with noise of sd 2", 0.0, 2.0, 0.0),
    ("bias 1, noise of sd 4", 1.0, 4.0, 0.0),
    ("bias 3, shares below .02 told as 0", 3.0, 0.0, 0.02),
    ("bias 6, shares below .02 told as 0", 6.0, 0.0, 0.02),
    ("bias 3, text only", 3.0, 0.0, None),
)


def tournaments(rounds: int) -> None:
    rounds = min(rounds, 300)
    spreads = (0.5, 1.0, 2.0)
    held, best = [], []
    for design in DESIGNS:
        found = [simulated(design, spread, rounds, seeded(int(10 * spread))) for spread in spreads]
        held.append((str(design), [100 * one.covered for one in found]))
        shares = [100 * share for one in found for share in (one.claimed, one.right)]
        best.append((str(design), shares))
    heads = [f"spread {spread:g}" for spread in spreads]
    table("Tournament: strengths in their intervals", "design", heads, held)
    heads = [f"{what}, spread {spread:g}" for spread in spreads for what in ("P(best)", "right")]
    table(
        "Tournament: P(best) of the favourite, and how often it is the best", "design", heads, best
    )


DESIGNS = (
    Design(candidates=4),
    Design(candidates=4, orders_agree=False),
    Design(candidates=8),
    Design(candidates=8, pairs=12),
    Design(candidates=16),
    Design(candidates=16, pairs=32),
)


def biases(rounds: int) -> None:
    """Judges with a known bias: the share of samples whose interval holds the truth."""
    for bias, (_, truths) in BIASES.items():
        found = recovered(bias, rounds)
        table(
            f"Known bias: {bias}",
            "truth",
            ["held"],
            [(name, [100 * found[name]]) for name in truths],
        )


def leaderboards(rounds: int) -> None:
    """Strengths of five systems 3 log-odds apart and two covariates, three battles on a prompt."""
    rows = []
    for prompts_of in (20, 50, 150):
        for copied in (0.0, 0.5):
            values = []
            for resamples, times in ((0, rounds), (200, min(rounds, 100))):
                draw = seeded(prompts_of, int(10 * copied), resamples)
                found = [
                    boards(draw, prompts=prompts_of, copied=copied, resamples=resamples)
                    for _ in range(times)
                ]
                values += [100 * fmean(column) for column in zip(*found, strict=True)]
            rows.append((f"{prompts_of}, {copied:.0%} copied", values))
    head = [f"{how}: {of}" for how in ("closed form", "bootstrap") for of in ("strengths", "style")]
    table("Leaderboard, battles of one prompt copied", "prompts", head, rows)


def runs(rounds: int) -> None:
    """Paired bootstrap of `suite compare`: runs of the same items, hits or scores, by prompt."""
    rows = []
    times = min(rounds, 300)
    for prompts_of in (20, 50, 100, 300):
        for size in (1, 4):
            found = []
            for correlation in (0.0, 0.5):
                for difference in (0.0, 0.05):
                    draw = seeded(prompts_of, size, int(10 * correlation), int(100 * difference))
                    ends = []
                    for round_ in range(times):
                        signs = gains(draw, difference, correlation, prompts=prompts_of, size=size)
                        items = {
                            str(k): (str(k // size), float(sign)) for k, sign in enumerate(signs)
                        }
                        nothing = {key: (prompt, 0.0) for key, (prompt, _) in items.items()}
                        one = compare(items, nothing, seed=round_, resamples=400)
                        ends.append(None if one is None else one.interval)
                    found.append(100 * coverage(ends, difference))
            rows.append((f"{prompts_of}, {size}", found))
    head = [f"ICC {c}, difference {d}" for c in (0.0, 0.5) for d in (0.0, 0.05)]
    table("Paired bootstrap of two runs, 15 % lost", "prompts, items a prompt", head, rows)


def corrections(rounds: int) -> None:
    """Pass rates of 1,000 answers corrected by labels."""
    rows = []
    for number, world in enumerate(ERRORS):
        draw = seeded(11, number)
        held = [erring(draw, world) for _ in range(rounds)]
        rows.append((world, [100 * fmean(column) for column in zip(*held, strict=True)]))
    head = ["prediction-powered", "Rogan-Gladen", "the judge's own rate"]
    table("Corrected pass rates", "world", head, rows)


def drifting(rounds: int) -> None:
    """How often a window is called drifted, where nothing drifted and where scores did."""
    rows = []
    for number, size, icc in (
        (50, 1, 0.0),
        (200, 1, 0.0),
        (1000, 1, 0.0),
        (60, 6, 0.0),
        (60, 6, 0.3),
    ):
        still, moved = (
            alarms(
                seeded(number, size, int(10 * icc), int(drifted)),
                rounds,
                prompts=number,
                size=size,
                icc=icc,
                moved=drifted,
            )
            for drifted in (False, True)
        )
        values = [
            100 * fmean(one.drifted for one in still),
            100 * fmean(one.index > 0.1 for one in still),
            100 * fmean(one.drifted for one in moved),
        ]
        rows.append((f"{number} x {size}, ICC {icc}", values))
    head = ["nothing drifted", "nothing drifted, fixed limit .1", "scores moved up"]
    table("Drift of scores in five bins, two windows alike", "prompts x scores", head, rows)


def watched_days(rounds: int) -> None:
    """Days of 288 windows and three rules. Healthy: everything exactly at its limit."""
    rounds = min(rounds, 300)
    rows = []
    for of in TRAFFIC:
        draw = seeded(of.prompts, of.verdicts)
        healthy = [day(draw, of, changed={}) for _ in range(rounds)]
        naive = [naive_day(draw, of) for _ in range(min(rounds, 20))]
        mixed = [day(draw, of, changed={"ties": 0.4, "unreadable": 0.2}) for _ in range(rounds)]
        false = [fmean(rule == "inconsistent" for _, rule in one) for one in mixed if one]
        shares = [fmean(map(bool, healthy)), fmean(naive), fmean([*false, 0.0])]
        rows.append((str(of), [100 * share for share in shares]))
    head = ["days with an alarm", "by 95 % intervals", "share of false alarms"]
    table("Alarms at the limit, and on days with two of three beyond it", "a window", head, rows)
    rows = []
    for of in TRAFFIC:
        found: list[float] = []
        for share in (0.25, 0.3, 0.4):
            draw = seeded(of.prompts, int(100 * share))
            days = [day(draw, of, changed={"ties": share}) for _ in range(min(rounds, 50))]
            first = [
                min((at for at, rule in one if rule == "ties"), default=WINDOWS) for one in days
            ]
            found += [100 * fmean(at < WINDOWS for at in first), 1 + median(first)]
        rows.append((str(of), found))
    head = [f"{what} {share}" for share in (0.25, 0.3, 0.4) for what in ("found %", "windows")]
    table("Alarms: tie rate beyond a limit of .2 from midnight on", "a window", head, rows)


TRAFFIC = (
    Traffic(prompts=10),
    Traffic(prompts=50),
    Traffic(prompts=50, verdicts=4, correlation=0.5),
    Traffic(prompts=200),
)


SAVINGS = ["saved", "held", "outcomes changed", "agreement, points", "held"]


def savings_values(found: Sequence[Savings]) -> list[float]:
    """What was saved and lost in the rounds, in %, and whether the intervals hold the mean of all rounds."""
    saved = fmean(one.saved for one in found)
    paired_too = [one.agreement for one in found if one.agreement]
    lost = fmean(one.difference for one in paired_too)
    return [
        100 * saved,
        100 * coverage((one.interval for one in found), saved),
        100 * fmean(one.changed.value for one in found),
        100 * lost,
        100 * coverage((one.interval for one in paired_too), lost),
    ]


def spending(rounds: int) -> None:
    """What a spending policy saves, and whether the intervals hold the mean over all samples."""
    rows = []
    for bias, bound in ((b, c) for b in (0.0, 1.0) for c in (0.6, 0.8, 0.9, 0.95)):
        draw = seeded(21, int(100 * bound), int(bias))
        found = [sampled(draw, bound, bias=bias) for _ in range(rounds)]
        rows.append((f"{bound}, bias {bias:g}", savings_values(found)))
    table("Spending: second order below a confidence", "bound", SAVINGS, rows, digits=1)


def cascades(rounds: int) -> None:
    """A cascade against always asking the large judge."""
    rows = []
    for sharpness, bound in ((s, c) for s in (1.0, 3.0) for c in (0.7, 0.8, 0.9)):
        draw = seeded(22, int(100 * bound), int(sharpness))
        found = [cascaded(draw, bound, sharpness=sharpness) for _ in range(rounds)]
        rows.append((f"{bound}, sharpness {sharpness:g}", savings_values(found)))
    table("Spending: a cascade to a large judge", "bound", SAVINGS, rows, digits=1)


def settling(_: int, pairs: int = 200_000) -> None:
    """Averaging both orders' probabilities against averaging their log-odds. The truth is drawn from what
    the judge would say without bias and noise: log-odds of sd 2."""
    rows = []
    for label, bias, noise, least in JUDGES:
        draw = seeded(int(bias), int(noise), len(label))
        odds = draw.normal(0.0, 2.0, pairs)
        truth = (shares_of(odds).cumsum(1) < draw.random((pairs, 1))).sum(1)
        one, other = (
            told(shares_of(odds + side * bias + noise * draw.normal(size=pairs)), least)
            for side in (1.0, -1.0)
        )
        product = np.sqrt(np.maximum(one, 1e-6) * np.maximum(other, 1e-6))
        values = [float((one.argmax(1) != other.argmax(1)).mean())]
        for joint in ((one + other) / 2, product / product.sum(1, keepdims=True)):
            draws = np.isclose(joint[:, 0], joint[:, 2], atol=1e-12) & (joint[:, 0] >= joint[:, 1])
            hits = np.where(draws, 1, joint.argmax(1)) == truth
            sure = joint.max(1)
            found = calibration(np.minimum(1.0, sure).tolist(), hits.tolist())
            values += [float(hits.mean()), float(sure.mean()), found.ece if found else 0.0]
        rows.append((label, values))
    head = ["flips", *(f"{how}: {of}" for how in ("probabilities", "log-odds") for of in SHOWN)]
    table("Settling both orders (not in %)", "judge", head, rows, digits=3)


Array = NDArray[np.float64]
SHOWN = ("accuracy", "confidence", "ece")


def shares_of(odds: Array) -> Array:
    """P(win), P(tie), P(lose) of a judge whose win has these log-odds over its loss."""
    scores = np.exp(np.stack([odds / 2, np.full(len(odds), -0.3), -odds / 2], 1))
    shares: Array = scores / scores.sum(1, keepdims=True)
    return shares


def told(shares: Array, least: float | None) -> Array:
    """What an endpoint tells: every share, none below `least`, or only the likeliest outcome."""
    if least is None:
        likeliest: Array = np.eye(3)[shares.argmax(1)]
        return likeliest
    kept = np.where(shares < least, 0.0, shares)
    normalised: Array = kept / kept.sum(1, keepdims=True)
    return normalised


def table(
    title: str,
    first: str,
    head: Sequence[str],
    rows: Sequence[tuple[str, Sequence[float]]],
    *,
    digits: int = 1,
) -> None:
    say(f"\n{title}\n")
    say(f"| {first} | {' | '.join(head)} |")
    say(f"|{'---|' * (len(head) + 1)}")
    for label, values in rows:
        say(f"| {label} | {' | '.join(f'{value:.{digits}f}' for value in values)} |")


def seeded(*parts: int) -> np.random.Generator:
    return np.random.default_rng(parts)


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
