"""Costs of judges: prices per token, budgets, and the amounts spent.

All amounts are in US dollars. A release's terms are strings in its Triton configuration (see `Terms.of`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import fsum
from typing import Self

from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import quoted

MILLION = 1_000_000
MOST = 1e6
"""Dollars, of a price and of a budget. Amounts are counted in billionths, in 64 bits."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Prices:
    """Dollars per million tokens. Both are 0 where no prices are stated."""

    per_million_in: float = 0.0
    per_million_out: float = 0.0

    @property
    def stated(self) -> bool:
        return bool(self.per_million_in or self.per_million_out)

    def cost(self, input_tokens: float, output_tokens: float) -> float:
        """Dollars for these tokens. A negative count, which only a faulty server reports, costs nothing."""
        spent_in = max(0, input_tokens) * self.per_million_in
        return (spent_in + max(0, output_tokens) * self.per_million_out) / MILLION


@dataclass(frozen=True, kw_only=True, slots=True)
class Spent:
    """Dollars spent on a release: since midnight UTC, and in total."""

    today: float = 0.0
    total: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The most dollars to spend on a release per day (UTC) and in total; 0 for no limit."""

    per_day: float = 0.0
    total: float = 0.0

    @property
    def set(self) -> bool:
        return bool(self.per_day or self.total)

    def shares(self, spent: Spent) -> dict[str, float]:
        """Spent over the limit, by `today` and `total`, of each limit that is set."""
        limits = {"today": self.per_day, "total": self.total}
        amounts = {"today": spent.today, "total": spent.total}
        return {period: amounts[period] / limit for period, limit in limits.items() if limit}

    def exhausted(self, spent: Spent) -> str:
        """Which limit is reached, in words; "" while both leave something to spend."""
        if self.total and spent.total >= self.total:
            return (
                f"{dollars(spent.total)} of {dollars(self.total)} in total are spent: raise the total with"
                " `judgestream release budget`"
            )
        if self.per_day and spent.today >= self.per_day:
            return (
                f"{dollars(spent.today)} of {dollars(self.per_day)} per day are spent: it resumes at midnight"
                " UTC, or raise the limit with `judgestream release budget`"
            )
        return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """A release's prices and budget.

    Raises:
        ConfigurationError: a number is not from 0 to a million, or there is a budget without prices.
    """

    prices: Prices = field(default_factory=Prices)
    budget: Budget = field(default_factory=Budget)

    def __post_init__(self) -> None:
        for name, text in self.parameters().items():
            number = float(text)
            if not 0 <= number <= MOST:  # NaN is outside, too
                raise ConfigurationError(f"{name} is {text}: give dollars, 0 to {MOST:,.0f}")
        if self.budget.set and not self.prices.stated:
            raise ConfigurationError(
                "a budget needs prices, or nothing would be counted: give --price-in and --price-out"
            )

    def parameters(self) -> dict[str, str]:
        """The terms as parameters of a model's configuration in Triton."""
        return {
            "price_in": repr(self.prices.per_million_in),
            "price_out": repr(self.prices.per_million_out),
            "budget_per_day": repr(self.budget.per_day),
            "budget_total": repr(self.budget.total),
        }

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Self:
        """The terms that a model's configuration states; missing ones are 0.

        Raises:
            ConfigurationError: a parameter is not a number of dollars.
        """

        def number(name: str) -> float:
            text = parameters.get(name) or "0"
            try:
                return float(text)
            except ValueError:
                raise ConfigurationError(
                    f"parameter {name} is {quoted(text)}, which is not a number: set it with"
                    " `judgestream release budget`"
                ) from None

        return cls(
            prices=Prices(per_million_in=number("price_in"), per_million_out=number("price_out")),
            budget=Budget(per_day=number("budget_per_day"), total=number("budget_total")),
        )


def total_cost(costs: Sequence[float | None]) -> float | None:
    """The sum of the known costs; None if none is known."""
    known = [cost for cost in costs if cost is not None]
    return fsum(known) if known else None


def dollars(amount: float) -> str:
    """An amount for people: cents above a dollar, four significant digits below."""
    return f"${amount:,.2f}" if amount >= 1 or not amount else f"${amount:.4g}"
