"""MM-Vet's files joined by the samples' ids, and MJ-Bench's pairs of images."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from judgestream.core.formats.base import Draft, finish
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, SetAside
from judgestream.core.formats.images import MJBENCH
from judgestream.core.formats.mmvet import PREDICTIONS, ROWS, SAMPLES, MMVet
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.modes import check
from judgestream.core.types import Candidate, Image
from tests.core.format_rows import ROWS as EXAMPLES
from tests.images.files import image_file

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
PNG = image_file()
URL = "https://images.example/a.jpg"


def fields(values: Mapping[str, object], file: str = "a.json") -> Fields:
    return Fields(values, Place(file=file, number=1, unit="record"))


def test_predictions_meet_their_samples_whatever_comes_first() -> None:
    join = MMVet()
    join.add(PREDICTIONS.name, fields(EXAMPLES["mm-vet-predictions"], "runs/llava-7b.json"))
    join.add(SAMPLES.name, fields(EXAMPLES["mm-vet"], "mm-vet.json"))
    first, second = join.outcomes()
    assert isinstance(first, Draft) and isinstance(second, Draft)
    assert first.question == "What is x?" and first.reference == "-1<OR>minus one"
    assert first.candidates == (Candidate(id="1", text="It is -1.", system="llava-7b"),)
    assert first.metadata == {"image": "v1_0.png"} and first.name.startswith("mm-vet-v1_0-")
    assert second.candidates[0].text == "3"
    request = finish(first, at=NOON).request
    assert check(request).name == "multimodal"


def test_two_models_give_two_requests_per_sample() -> None:
    join = MMVet()
    join.add(SAMPLES.name, fields(EXAMPLES["mm-vet"]))
    for name in ("a.json", "b.json.gz"):
        join.add(PREDICTIONS.name, fields({"v1_0": "red"}, name))
    one, other = join.outcomes()
    assert isinstance(one, Draft) and isinstance(other, Draft)
    assert (one.candidates[0].system, other.candidates[0].system) == ("a", "b")
    assert one.name != other.name


def test_a_prediction_without_its_sample_is_set_aside() -> None:
    join = MMVet()
    join.add(PREDICTIONS.name, fields({"v1_7": "red"}))
    (found,) = join.outcomes()
    assert isinstance(found, SetAside) and found.reason is Aside.NO_QUESTION
    assert "v1_7" in str(found)


def test_samples_that_contradict_each_other_are_refused() -> None:
    join = MMVet()
    join.add(SAMPLES.name, fields(EXAMPLES["mm-vet"]))
    join.add(SAMPLES.name, fields(EXAMPLES["mm-vet"]))
    with pytest.raises(InvalidRecord, match="v1_0: is not unique"):
        join.add(SAMPLES.name, fields({"v1_0": {"question": "Other?", "answer": "2"}}))


def test_judgelms_rows_are_judged_alone() -> None:
    (draft,) = ROWS.found(fields(EXAMPLES["mm-vet-rows"]))
    assert isinstance(draft, Draft)
    assert (draft.mode, draft.reference) == ("multimodal", "-1<OR>minus one")
    assert draft.candidates[0].text == "It is -1."


def pair(image0: object, image1: object = URL, label: object = 0) -> Draft:
    values = {"id": 3, "caption": "A cat.", "image0": image0, "image1": image1, "label": label}
    (draft,) = MJBENCH.found(fields(values))
    assert isinstance(draft, Draft)
    return draft


ENCODED = base64.b64encode(PNG).decode()


@pytest.mark.parametrize(
    "value",
    [
        PNG,
        ENCODED,
        f"data:image/png;base64,{ENCODED}",
        {"bytes": PNG, "path": "a.png"},
        {"bytes": ENCODED, "path": "a.png"},
    ],
)
def test_an_image_is_found_in_whatever_form_it_is_stored(value: object) -> None:
    draft = pair(value)
    assert [one.images for one in draft.candidates] == [(Image(data=PNG),), (Image(url=URL),)]
    converted = finish(draft, at=NOON)
    assert check(converted.request).name == "multimodal"
    assert [label.winner for label in converted.labels] == ["1"]


@pytest.mark.parametrize(("label", "winner"), [(0, "1"), ("0", "1"), (1, "2"), (1.0, "2")])
def test_the_label_is_the_number_of_the_preferred_image(label: object, winner: str) -> None:
    (found,) = finish(pair(PNG, label=label), at=NOON).labels
    assert found.winner == winner


def test_an_unknown_label_is_not_guessed() -> None:
    converted = finish(pair(PNG, label=2), at=NOON)
    assert converted.labels == () and converted.unlabelled == (NoLabel.UNKNOWN_WINNER,)
    assert finish(pair(PNG, label=None), at=NOON).unlabelled == ()


@pytest.mark.parametrize(
    "value", ["a.jpg", "data:image/png;base64,AAAA", "", None, 0.5, {"path": "a"}]
)
def test_what_is_not_an_image_is_set_aside(value: object) -> None:
    with pytest.raises(SetAside) as caught:
        pair(value)
    assert caught.value.reason is Aside.NOT_TEXT
