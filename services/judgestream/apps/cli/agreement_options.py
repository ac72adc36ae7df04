"""Options of `judgestream agreement`."""

from typing import Annotated

import typer

from judgestream.evaluation.bootstrap import least_resamples
from judgestream.evaluation.order_rules import OrderRule

CLASSES = {"first": 1, "tie": 0, "second": -1}


def _enough(resamples: int) -> int:
    least = least_resamples()
    if 0 < resamples < least:
        raise typer.BadParameter(
            f"{resamples} resamples are too few for a 95 % interval: use at least {least}, or 0"
        )
    return resamples


def _classes(names: list[str] | None) -> list[str] | None:
    for name in names or ():
        if name not in CLASSES:
            raise typer.BadParameter(f"{name!r} is not a class: {', '.join(CLASSES)}")
    return names


Annotators = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME",
        help="only these annotators, by name or kind (human takes human-1); repeatable",
    ),
]
Rule = Annotated[
    OrderRule,
    typer.Option(help="how to combine both orders: the verdict's own average, or a published rule"),
]
Compare = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="another release, compared on the same requests"),
]
Classes = Annotated[
    list[str] | None,
    typer.Option(
        "--class",
        metavar="CLASS",
        callback=_classes,
        help="average macro figures over these (first, tie, second) instead of the labels' own",
    ),
]
ClusterBy = Annotated[
    str, typer.Option(metavar="KEY", help="metadata key whose value names a prompt")
]
SegmentBy = Annotated[
    str,
    typer.Option("--segment", metavar="KEY", help="separately for each value of this metadata key"),
]
Resamples = Annotated[
    int,
    typer.Option(
        min=0,
        callback=_enough,
        help="bootstrap intervals by prompt, at least 40; 0 = closed form",
    ),
]
MinAccuracy = Annotated[
    float | None,
    typer.Option(
        min=0, max=1, help="exit 1 unless the 95 % interval of the accuracy lies above this"
    ),
]
