"""Quantiles that the standard library lacks."""

from math import cos, exp, lgamma, log, pi, sin, sqrt

from judgestream.evaluation.intervals import z_of


def student_t(level: float, df: float) -> float:
    """The half-width, in standard errors, of a two-sided interval of this level with `df` degrees of freedom.

    `student_t(.95, 10)` is 2.228; it tends to 1.96. Source: Hill (1970), Comm. ACM 13:619, algorithm 396:
    within 1e-4 for every real df >= 1.

    Raises:
        ValueError: df < 1 or a level outside 0 to 1.
    """
    if df < 1.0:
        raise ValueError(f"Student's t needs at least one degree of freedom, not {df}")
    z = z_of(level)
    tail = 1.0 - level
    if abs(df - 2.0) < 1e-9:
        return sqrt(2.0 / (tail * (2.0 - tail)) - 2.0)
    if abs(df - 1.0) < 1e-9:
        return cos(tail * pi / 2.0) / sin(tail * pi / 2.0)
    a = 1.0 / (df - 0.5)
    b = (48.0 / a) / a
    c = ((20700.0 * a / b - 98.0) * a - 16.0) * a + 96.36
    d = ((94.5 / (b + c) - 3.0) / b + 1.0) * sqrt(a * pi / 2.0) * df
    y = (d * tail) ** (2.0 / df)
    if y > 0.05 + a:
        x = -z
        y = x * x
        if df < 5.0:
            c += 0.3 * (df - 4.5) * (x + 0.6)
        c = (((0.05 * d * x - 5.0) * x - 7.0) * x - 2.0) * x + b + c
        y = (((((0.4 * y + 6.3) * y + 36.0) * y + 94.5) / c - y - 3.0) / b + 1.0) * x
        y = a * y * y
        y = exp(y) - 1.0 if y > 0.002 else 0.5 * y * y + y
    else:
        y = (
            (
                1.0 / (((df + 6.0) / (df * y) - 0.089 * d - 0.822) * (df + 2.0) * 3.0)
                + 0.5 / (df + 4.0)
            )
            * y
            - 1.0
        ) * (df + 1.0) / (df + 2.0) + 1.0 / y
    return sqrt(df * y)


def chi_squared(level: float, df: float) -> float:
    """What a chi-squared variable with `df` degrees of freedom stays below with probability `level`.

    Bisection on `chi_squared_tail`, to a millionth.

    Raises:
        ValueError: df is not positive, or a level outside 0 to 1.
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"invalid level {level}: use a number between 0 and 1")
    low, high = 0.0, df + 10.0
    while chi_squared_tail(high, df) > 1.0 - level:
        low, high = high, 2.0 * high
    while high - low > 1e-6 * (1.0 + high):
        middle = (low + high) / 2.0
        if chi_squared_tail(middle, df) > 1.0 - level:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0


def chi_squared_tail(value: float, df: float) -> float:
    """P(a chi-squared variable with `df` degrees of freedom is above `value`).

    The regularised incomplete gamma function Q(df / 2, value / 2): its series below df / 2 + 1, its continued
    fraction above (Abramowitz and Stegun 6.5.29 and 6.5.31).

    Raises:
        ValueError: df is not positive.
    """
    if df <= 0.0:
        raise ValueError(f"chi-squared needs positive degrees of freedom, not {df}")
    if value <= 0.0:
        return 1.0
    a, x = df / 2.0, value / 2.0
    factor = exp(a * log(x) - x - lgamma(a))
    if x < a + 1.0:
        term = total = 1.0 / a
        k = a
        while term > 1e-16 * total:
            k += 1.0
            term *= x / k
            total += term
        return max(0.0, 1.0 - total * factor)
    tiny = 1e-300
    b = x + 1.0 - a
    c, d = 1.0 / tiny, 1.0 / b
    fraction = d
    for k in range(1, 10_000):
        step = -k * (k - a)
        b += 2.0
        d = 1.0 / (step * d + b or tiny)
        c = b + step / c or tiny
        fraction *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return min(1.0, fraction * factor)
