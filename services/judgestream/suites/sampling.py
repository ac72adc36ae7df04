"""The items of a run: those that are wanted, and of these a seeded sample."""

import random
from collections.abc import Mapping, Sequence

from judgestream.suites.base import Item


def selected(items: Sequence[Item], only: Mapping[str, str]) -> list[Item]:
    """The items that have these facts. A fact of several lines has each of them as a value.

    Raises:
        KeyError: no item has a fact of this name; its argument is the name.
    """
    known = {name for item in items for name in item.facts}
    for name in only:
        if name not in known:
            raise KeyError(name)
    return [
        item
        for item in items
        if all(
            name in item.facts and value in item.facts[name].split("\n")
            for name, value in only.items()
        )
    ]


def sampled(items: Sequence[Item], limit: int | None, seed: int) -> list[Item]:
    """At most `limit` items, whole units drawn at random, in their own order; the first unit always.

    A larger limit keeps what a smaller one with the same seed has, so its verdicts are found again.
    """
    if limit is None or limit >= len(items):
        return list(items)
    units: dict[str, int] = {}
    for item in items:
        units[item.together] = units.get(item.together, 0) + 1
    names = list(units)
    random.Random(seed).shuffle(names)  # noqa: S311 - a reproducible sample
    kept: set[str] = set()
    total = 0
    for name in names:
        if kept and total + units[name] > limit:
            break
        kept.add(name)
        total += units[name]
    return [item for item in items if item.together in kept]
