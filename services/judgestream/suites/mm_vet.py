"""MM-Vet (arXiv 2308.02490) as JudgeLM judges it: answers about images by a judge that sees texts only.

JudgeLM grades a prediction beside the reference answer, which counts as a 10; the image is not shown. It has
no conversion to MM-Vet's own score of 0 to 1, so the scores are reported on the judge's scale, 1 to 10.
"""

from collections.abc import Iterator, Sequence

from judgestream.core.formats.base import Draft, digest
from judgestream.core.formats.fields import InvalidRecord
from judgestream.core.formats.mmvet import PREDICTIONS, SAMPLES, MMVet
from judgestream.suites.base import Choices, Item, Judged, Suite, Tables, Wanted, request
from judgestream.suites.report import Report, Table
from judgestream.suites.single_scores import mean_score, score, values

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


def report(judged: Sequence[Judged], choices: Choices) -> Report:
    scored = [(one.item, found) for one in judged if (found := score(one)) is not None]
    models = sorted({item.facts["model"] for item, _ in scored})
    rows = tuple(
        (model, len(own), mean_score(own))
        for model in models
        if (own := [row for row in scored if row[0].facts["model"] == model])
    )
    return Report(
        figures=(mean_score(scored),),
        tables=(
            Table(title="models", head=("model", "n", "mean_score"), rows=rows, plot="mean_score"),
            Table(
                title="counts", head=("predictions", "scored"), rows=((len(judged), len(scored)),)
            ),
        ),
    )


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
