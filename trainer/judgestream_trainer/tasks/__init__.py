"""Task families, one row each. A new family is a module in this package and a row in the table."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from types import MappingProxyType

from judgestream_trainer.randomness import derived
from judgestream_trainer.tasks.arithmetic import ARITHMETIC
from judgestream_trainer.tasks.base import Family, Item
from judgestream_trainer.tasks.fluency import FLUENCY
from judgestream_trainer.tasks.formats import FORMATS
from judgestream_trainer.tasks.knowledge import KNOWLEDGE
from judgestream_trainer.tasks.substance import SUBSTANCE

FAMILIES: Mapping[str, Family] = MappingProxyType(
    {
        family.name: family
        for family in (
            KNOWLEDGE,
            ARITHMETIC,
            FORMATS,
            FLUENCY,
            SUBSTANCE,
        )
    }
)


def items(family: Family, *, seed: int, held_out: bool) -> Iterator[Item]:
    """An endless, reproducible stream of the family's items from one side of the split.

    Both sides draw items in the same way and keep those of their side. The side depends only on an item's
    content, so no seed can bring a held-out item into training.
    """
    index = 0
    while True:
        item = family.make(derived("item", family.name, seed, held_out, index))
        if item.held_out == held_out:
            yield replace(item, id=f"{family.name}-{seed}-{index}")
        index += 1
