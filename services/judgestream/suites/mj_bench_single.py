"""MJ-Bench (arXiv 2407.04842) for judges that see one image: each image of a pair is scored alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from judgestream.core.formats.base import digest
from judgestream.core.formats.images import convert
from judgestream.suites import mj_bench
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, request
from judgestream.suites.mj_scores import SHARES, ScoredPair, accuracies, by_value, level, scores_of
from judgestream.suites.report import Cell, Report, Table

FILES = tuple(one for one in mj_bench.FILES if one.name == "pairs")
THRESHOLDS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0)
"""Points of the scale of 1 to 10 within which two scores are a tie; the first makes the headline. Values of
an image scorer are scaled to 0 to 1 over all images, and have the thresholds of `SHARES`."""


def items(tables: Tables) -> Iterator[Item]:
    """Two requests a pair, each with one image and the caption."""
    for number, row in enumerate(tables["pairs"], start=1):
        draft = convert(row)
        gold = mj_bench.SIDES.get(row.identity("label") or "")
        for slot, candidate in enumerate(draft.candidates):
            yield Item(
                key=f"pair-{number}-image{slot}",
                request=request("multimodal", draft.question, (replace(candidate, id="1"),)),
                cluster=digest(draft.question, length=16),
                unit=f"pair-{number}",
                facts={
                    "pair": str(number),
                    "slot": str(slot),
                    "label": "" if gold is None else str(int(gold)),
                    "subset": row.name("subset") or row.name("category"),
                },
            )


def pairs(judged: Sequence[Judged]) -> dict[tuple[str, str], ScoredPair]:
    """By subset and number: the labelled pairs of which both images have a score."""
    scores: dict[str, dict[str, float]] = {}
    for one in judged:
        for score in scores_of(one.verdict)[:1]:
            scores.setdefault(one.item.facts["pair"], {})[one.item.facts["slot"]] = score
    found = {}
    for one in judged:
        facts = one.item.facts
        both = scores.get(facts["pair"], {})
        if facts["slot"] == "0" and facts["label"] and len(both) == len(("0", "1")):
            found[facts["subset"], facts["pair"]] = ScoredPair(
                gold=mj_bench.SIDES["0" if facts["label"] == "1" else "1"],
                first=both["0"],
                second=both["1"],
                cluster=one.item.cluster,
            )
    return found


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    found = pairs(judged)
    thresholds = THRESHOLDS
    if any(by_value(one.verdict) for one in judged):  # one release judges all
        thresholds = SHARES
        found = dict(zip(found, level(list(found.values())), strict=True))
    every = list(found.values())
    subsets: dict[str, list[ScoredPair]] = {}
    for (subset, _), one in found.items():
        subsets.setdefault(subset or "-", []).append(one)
    rows: list[tuple[Cell, ...]] = [
        (subset, near, len(own), *accuracies(own, near))
        for subset, own in sorted(subsets.items())
        for near in thresholds
    ]
    wanted = sum(one.item.facts["slot"] == "0" for one in judged)
    return Report(
        figures=accuracies(every, THRESHOLDS[0]),
        tables=(
            Table(
                title="accuracy by threshold",
                head=("threshold", "with ties", "without ties"),
                rows=tuple((near, *accuracies(every, near)) for near in thresholds),
                plot="with ties",
            ),
            Table(
                title="accuracy by subset",
                head=("subset", "threshold", "n", "with ties", "without ties"),
                rows=tuple(rows),
            ),
            Table(title="counts", head=("pairs", "scored"), rows=((wanted, len(every)),)),
        ),
    )


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    """Per pair, under its first image's key: 1 if the better image has the higher score. A tie is wrong."""
    return {
        f"pair-{number}-image0": float(one.said(THRESHOLDS[0]) == one.gold)
        for (_, number), one in pairs(judged).items()
    }


SUITE = Suite(
    name="mj-bench-single",
    title="MJ-Bench: images scored one by one, for judges that see a single image",
    paper="arXiv 2407.04842",
    files=FILES,
    items=items,
    report=report,
    values=values,
    orders=False,
)
