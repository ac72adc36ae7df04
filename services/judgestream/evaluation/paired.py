"""Two judges on the same requests: the difference of their accuracies, and McNemar's test."""

from collections import defaultdict
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass

from judgestream.evaluation.clusters import Mean, freedom_of
from judgestream.evaluation.intervals import LEVEL, Interval, adjusted_wald, z_of
from judgestream.evaluation.quantiles import student_t


@dataclass(frozen=True, kw_only=True, slots=True)
class PairedDifference:
    """The first judge minus the second, on the `n` requests that both judged.

    difference       accuracy of the first minus that of the second, -1 to 1
    both, neither    requests that both judges, or neither, have right
    only_first, only_second   the discordant ones: they alone decide
    design_effect    of the prompts that several requests share, at least 1
    interval         of the difference; None for a single prompt with several requests
    p_value          McNemar's exact one, two-sided; it assumes independent requests: where the
                     design effect is above 1, use the interval
    """

    n: int
    clusters: int
    difference: float
    both: int
    neither: int
    only_first: int
    only_second: int
    design_effect: float
    interval: Interval | None
    p_value: float


def compare(
    first: Sequence[bool],
    second: Sequence[bool],
    clusters: Sequence[Hashable] | None = None,
    *,
    level: float = LEVEL,
) -> PairedDifference | None:
    """Compare two judges' hits, request by request; None for no requests.

    The interval is Bonett and Price's (2012, see `intervals.paired_difference`) at the effective sample size
    and with Student's t of the clusters' degrees of freedom. Requests that are hard for both judges cancel.

    Raises:
        ValueError: the lists differ in length.
    """
    rows = list(zip(first, second, strict=True))
    found = signed_mean([int(a) - int(b) for a, b in rows], clusters, level=level)
    if found is None:
        return None
    only_first, only_second = rows.count((True, False)), rows.count((False, True))
    return PairedDifference(
        n=found.n,
        clusters=found.clusters,
        difference=found.value,
        both=rows.count((True, True)),
        neither=rows.count((False, False)),
        only_first=only_first,
        only_second=only_second,
        design_effect=found.design_effect,
        interval=found.interval,
        p_value=mcnemar(only_first, only_second),
    )


def signed_mean(
    signs: Sequence[int], clusters: Sequence[Hashable] | None = None, *, level: float = LEVEL
) -> Mean | None:
    """The mean of +1, 0 and -1, which is a difference of two exclusive shares; None for no signs.

    For example the gains of one judge over another, or leans toward the first or second position.

    Raises:
        ValueError: the lists differ in length, or a sign is not +1, 0 or -1.
    """
    if not signs:
        return None
    if not set(signs) <= {1, 0, -1}:
        raise ValueError("signs are +1, 0 or -1")
    n = len(signs)
    counts: defaultdict[Hashable, list[int]] = defaultdict(lambda: [0, 0, 0])
    for sign, group in zip(signs, range(n) if clusters is None else clusters, strict=True):
        counts[group][0] += sign > 0
        counts[group][1] += sign < 0
        counts[group][2] += 1
    return difference_of_counts(
        ((up, down, all_) for up, down, all_ in counts.values()), level=level
    )


def difference_of_counts(
    cells: Iterable[tuple[int, int, int]], *, level: float = LEVEL
) -> Mean | None:
    """The difference of two exclusive shares, from the counts (first, second, all) of each cluster; None for
    nothing counted. The same as `signed_mean` of the single signs.

    Raises:
        ValueError: a negative count, or more of both than there are.
    """
    counted = [cell for cell in cells if any(cell)]
    if not all(up >= 0 and down >= 0 and up + down <= all_ for up, down, all_ in counted):
        raise ValueError("a cluster counts more of both outcomes than it has")
    up, down, n = (sum(part) for part in zip(*counted, strict=True)) if counted else (0, 0, 0)
    if not n:
        return None
    mean, count = (up - down) / n, len(counted)
    alone = up + down - n * mean * mean
    squares = [(first - second - mean * all_) ** 2 for first, second, all_ in counted]
    if count == n:
        effect, critical = 1.0, z_of(level)
    elif alone <= 1e-12 * n or count == 1:
        effect, critical = n / count, student_t(level, max(1.0, count - 1.0))
    else:
        effect = max(1.0, count / (count - 1) * sum(squares) / alone)
        critical = student_t(level, freedom_of(squares))
    interval = None
    if count > 1 or n == 1:
        interval = adjusted_wald(
            up / effect, down / effect, n / effect, critical=critical, level=level
        )
    return Mean(value=mean, n=n, clusters=count, design_effect=effect, interval=interval)


def mcnemar(only_first: int, only_second: int) -> float:
    """McNemar's exact test: probability of so uneven a split of the discordant requests between equal judges.

    Two-sided: twice the binomial tail at one half, at most 1. Source: McNemar (1947), exact form.

    Raises:
        ValueError: a negative count.
    """
    if min(only_first, only_second) < 0:
        raise ValueError(f"{only_first} and {only_second} are not counts")
    n, fewer = only_first + only_second, min(only_first, only_second)
    ways = total = 1
    for k in range(1, fewer + 1):
        ways = ways * (n - k + 1) // k
        total += ways
    return min(1.0, (2 * total) / (1 << n))
