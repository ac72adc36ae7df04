"""MM-Vet's files: samples with their reference answers, and predictions, both keyed by the sample's id.

Also the rows that JudgeLM's preprocessing makes of both. The judge sees texts only: see mode `multimodal`.
"""

import re
from collections.abc import Iterator, Mapping

from judgestream.core.formats.base import Draft, Found, RequestFormat, dataset_name
from judgestream.core.formats.fields import Fields, SetAside
from judgestream.core.formats.reasons import Aside
from judgestream.core.types import Candidate

_SAMPLE_ID = re.compile(r"v\d+_\d+", re.ASCII)


def convert(fields: Fields) -> Draft:
    """One sample with its prediction in `answer1_body`."""
    return _draft(
        fields,
        fields,
        number=fields.identity("question_id"),
        text=fields.text("answer1_body"),
        system=fields.name("answer1_model_id"),
    )


class MMVet:
    """Samples, and files of predictions. A prediction's system is the name of its file."""

    def __init__(self) -> None:
        self._samples: dict[str, Fields] = {}
        self._predictions: list[Fields] = []

    def add(self, part: str, fields: Fields) -> None:
        if part == PREDICTIONS.name:
            self._predictions.append(fields)
            return
        for number in fields.values:
            sample = fields.inner(number)
            sample.text("question"), sample.scalar_text("answer")  # reject early, not at the end
            known = self._samples.setdefault(number, sample)
            if dict(known.values) != dict(sample.values):
                fields.reject(number, "is not unique: give every sample a unique id")

    def outcomes(self) -> Iterator[Found]:
        for fields in self._predictions:
            system = fields.place.file.rsplit("/", 1)[-1].split(".json", 1)[0]
            for number in fields.values:
                sample = self._samples.get(number)
                if sample is None:
                    problem = f"{fields.place}: field {number[:80]}: no sample has this id"
                    yield SetAside(f"{problem}: give mm-vet.json as well", Aside.NO_QUESTION)
                    continue
                text = fields.scalar_text(number)
                yield _draft(fields, sample, number=number, text=text, system=system)


def _draft(place: Fields, sample: Fields, *, number: str | None, text: str, system: str) -> Draft:
    question, reference = sample.text("question"), sample.scalar_text("answer")
    return Draft(
        name=dataset_name("mm-vet", number, place, question, reference, text, system),
        mode="multimodal",
        question=question,
        candidates=(Candidate(id="1", text=text, system=system),),
        reference=reference,
        metadata={"image": sample.name("imagename")} if sample.filled("imagename") else {},
        place=place.place,
    )


def _are_samples(values: Mapping[str, object]) -> bool:
    return _keyed(values) and all(
        isinstance(value, dict) and "question" in value and "answer" in value
        for value in values.values()
    )


def _are_predictions(values: Mapping[str, object]) -> bool:
    return _keyed(values) and all(isinstance(value, str | int | float) for value in values.values())


def _keyed(values: Mapping[str, object]) -> bool:
    return bool(values) and all(_SAMPLE_ID.fullmatch(str(key)) for key in values)


ROWS = RequestFormat(
    name="mm-vet-rows",
    summary="MM-Vet with one model's answers, as JudgeLM prepares it: question, answer (the reference),"
    " answer1_body",
    needs=(("imagename",), ("question",), ("answer",), ("answer1_body",)),
    convert=convert,
)
SAMPLES = RequestFormat(
    name="mm-vet",
    summary="MM-Vet's samples by id (v1_0, ...): question and reference answer, joined with predictions",
    needs=(),
    when=_are_samples,
    join=MMVet,
)
PREDICTIONS = RequestFormat(
    name="mm-vet-predictions",
    summary="a model's answers to MM-Vet by the sample's id (v1_0, ...), joined with the samples",
    needs=(),
    when=_are_predictions,
    join=MMVet,
)
