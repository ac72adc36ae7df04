"""MM-Vet (arXiv 2308.02490) as JudgeLM judges it: answers about images by a judge that sees texts only.

JudgeLM grades a prediction beside the reference answer, which counts as a 10; the image is not shown. It has
no conversion to MM-Vet's own score of 0 to 1, so the scores are reported on the judge's scale, 1 to 10.
"""

from collections.abc import Iterator, Mapping, Sequence

from judgestream.core.formats.base import Draft, digest
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.formats.mmvet import PREDICTIONS, SAMPLES, MMVet
from judgestream.core.types import Status
from judgestream.evaluation.clusters import clustered_mean
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.report import Figure, Report, Table

FILES = (
    Wanted(
        name="samples",
        pattern="mm-vet*.json",
        content="the samples by id: imagename, question, answer (the reference)",
        source="github.com/yuweihao/MM-Vet, mm-vet.json; or JudgeLM's mm-vet-gt.json",
    ),
    Wanted(
        name="predictions",
        pattern="predictions/*.json",
        content="one file per model: sample id -> the model's answer",
        source="your models; JudgeLM's judgelm/data/MM-Vet/ has some",
    ),
)


def items(tables: Tables) -> Iterator[Item]:
    """Every prediction with its sample; the file's name is the model's."""
    joined = MMVet()
    for name, part in (("samples", SAMPLES.name), ("predictions", PREDICTIONS.name)):
        for row in tables[name]:
            joined.add(part, row)
    for found in joined.outcomes():
        if isinstance(found, InvalidRecord):
            raise found
        if isinstance(found, Draft):
            yield _item(found)


def _item(draft: Draft) -> Item:
    model = draft.candidates[0].system
    shown = draft.question, draft.reference or "", draft.metadata.get("image", "")
    return Item(
        key=draft.name,
        request=request(
            draft.mode,
            draft.question,
            draft.candidates,
            reference=draft.reference,
            options=draft.options,
        ),
        cluster=digest(*shown, length=16),
        facts={"model": model},
    )


def score(judged: Judged) -> float | None:
    """On the scale of 1 to 10; None for a prediction without a scored verdict."""
    verdict = judged.verdict
    if verdict is None or verdict.status is not Status.SCORED or not verdict.scores:
        return None
    return verdict.scores[0].score


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    scored = [(one.item, found) for one in judged if (found := score(one)) is not None]
    models = sorted({item.facts["model"] for item, _ in scored})
    rows = tuple(
        (model, len(own), _mean(own))
        for model in models
        if (own := [row for row in scored if row[0].facts["model"] == model])
    )
    return Report(
        figures=(_mean(scored),),
        tables=(
            Table(title="models", head=("model", "n", "mean_score"), rows=rows, plot="mean_score"),
            Table(
                title="counts", head=("predictions", "scored"), rows=((len(judged), len(scored)),)
            ),
        ),
    )


def _mean(rows: Sequence[tuple[Item, float]]) -> Figure:
    mean = clustered_mean(
        [found for _, found in rows],
        [item.cluster for item, _ in rows],
        lowest=1.0,
        highest=10.0,
    )
    return Figure.of("mean_score", mean, percent=False)


def values(judged: Sequence[Judged], choices: Choices) -> Mapping[str, float]:
    return {one.item.key: found for one in judged if (found := score(one)) is not None}


SUITE = Suite(
    name="mm-vet",
    title="MM-Vet as JudgeLM judges it: answers about images, by their reference answers",
    paper="arXiv 2308.02490",
    files=FILES,
    items=items,
    report=report,
    values=values,
    orders=False,
)
