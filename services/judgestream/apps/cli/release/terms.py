"""Options for a release's prices and budget, and `judgestream release budget`, which changes them."""

from dataclasses import replace
from typing import Annotated

import typer

from judgestream.core.costs import Budget, Prices, Terms, dollars
from judgestream.core.errors import ConfigurationError, JudgestreamError
from judgestream.terminal.output import line, note

PriceIn = Annotated[
    float | None, typer.Option("--price-in", min=0, help="dollars per million prompt tokens")
]
PriceOut = Annotated[
    float | None, typer.Option("--price-out", min=0, help="dollars per million output tokens")
]
PerDay = Annotated[
    float | None,
    typer.Option(
        "--budget-per-day", min=0, help="dollars per day (UTC); then it pauses. 0: no limit"
    ),
]
Total = Annotated[
    float | None,
    typer.Option("--budget-total", min=0, help="dollars in total; then it pauses. 0: no limit"),
]


def changed(
    before: Terms,
    price_in: float | None,
    price_out: float | None,
    per_day: float | None,
    total: float | None,
) -> Terms:
    """The terms with the values that are given."""
    prices: Prices = before.prices
    budget: Budget = before.budget
    if price_in is not None:
        prices = replace(prices, per_million_in=price_in)
    if price_out is not None:
        prices = replace(prices, per_million_out=price_out)
    if per_day is not None:
        budget = replace(budget, per_day=per_day)
    if total is not None:
        budget = replace(budget, total=total)
    return Terms(prices=prices, budget=budget)


def given(
    price_in: float | None, price_out: float | None, per_day: float | None, total: float | None
) -> Terms | None:
    """The terms of a release that is installed: None where no option is given, so that a release that is
    installed again keeps its own."""
    if price_in is per_day is price_out is total is None:
        return None
    return changed(Terms(), price_in, price_out, per_day, total)


def budget_command(
    name: Annotated[str, typer.Argument(help="name of the release, as in `release list`")],
    price_in: PriceIn = None,
    price_out: PriceOut = None,
    per_day: PerDay = None,
    total: Total = None,
) -> None:
    """Show a release's prices, budget and what is spent, or change the ones that are given.

    A release that is loaded is loaded again with the new ones; workers that are paused for its budget resume
    within seconds. The release keeps its name.
    """
    from judgestream.adapters.releases.installed import find
    from judgestream.adapters.releases.parameters import kept_terms, set_terms
    from judgestream.apps.cli.release.place import find_place, reload_if_loaded

    place = find_place()
    release = find(place.repository, name)
    if release.members:
        raise ConfigurationError(
            f"{name} is a jury, which spends what its members spend: set the budget of"
            f" {', '.join(release.members)}"
        )
    folder = place.repository / name
    before = kept_terms(folder)
    after = changed(before, price_in, price_out, per_day, total)
    if after != before:
        set_terms(folder, after)
        try:
            reload_if_loaded(place, name)
        except JudgestreamError as exc:
            note(f"the change is written, but the workers do not see it yet: {exc}")
    _show(name, after)


def _show(name: str, terms: Terms) -> None:
    from judgestream.adapters.redis.spending import SpendingView
    from judgestream.settings import load

    prices, budget = terms.prices, terms.budget
    line(
        f"{name}: {dollars(prices.per_million_in)} in and {dollars(prices.per_million_out)} out per million"
        " tokens"
    )
    view = SpendingView.connect(load().redis)
    try:
        spent = None if view is None else view.spent(name)
    except JudgestreamError as exc:
        spent = None
        note(f"what is spent is unknown: {exc}")
    finally:
        if view is not None:
            view.close()
    limits = {"today": budget.per_day, "in total": budget.total}
    amounts = {} if spent is None else {"today": spent.today, "in total": spent.total}
    for period, limit in limits.items():
        shown = dollars(amounts[period]) if period in amounts else "an unknown amount"
        of = f" of {dollars(limit)}" if limit else ", without a limit"
        line(f"  {period}: {shown}{of}")
