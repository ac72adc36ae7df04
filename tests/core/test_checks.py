"""Validation of requests and labels: types, ids, sizes and times."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from judgestream.core import limits
from judgestream.core.checks import label_problem, request_problem
from judgestream.core.conversation import Turn
from judgestream.core.rubric import Criterion, Rubric
from judgestream.core.types import Candidate, Label, Options
from tests.core.build import NOON, request

OK = request()
LABEL = Label(label_id="l", request_id="r", annotator="ann", labelled_at=NOON, winner="a")


def changed(record: Any = OK, **changes: Any) -> Any:
    """A copy with fields of types that the annotations forbid."""
    return replace(record, **changes)


def candidates(**changes: Any) -> Any:
    return replace(OK, candidates=(replace(OK.candidates[0], **changes), OK.candidates[1]))


def rubric(count: int = 1, pass_threshold: float | None = None, **changes: Any) -> Any:
    first = replace(Criterion(id="tone", description="polite"), **changes)
    others = (replace(first, id=f"tone-{k}") for k in range(2, count + 1))
    return replace(OK, rubric=Rubric(criteria=(first, *others), pass_threshold=pass_threshold))


def turns(*roles: str) -> tuple[Turn, ...]:
    return tuple(Turn(role=role, text="hi") for role in roles)


REFUSED: dict[str, tuple[Any, str]] = {
    "no id": (replace(OK, request_id=""), "request_id is empty"),
    "blank id": (replace(OK, request_id=" \n"), "request_id is empty"),
    "long id": (replace(OK, request_id="é" * 257), "request_id has 514 bytes; at most 512"),
    "id a number": (changed(request_id=7), "request_id must be text, not int"),
    "question missing": (changed(question=None), "question must be text, not NoneType"),
    "question too long": (
        replace(OK, question="x" * (limits.TEXT + 1)),
        "question has 1048577 bytes",
    ),
    "a lone surrogate": (replace(OK, question="\ud83d"), "lone surrogate"),
    "long mode": (replace(OK, mode="m" * 65), "mode has 65 bytes; at most 64"),
    "blank candidate id": (candidates(id=" "), r"candidates[1].id is empty"),
    "long candidate id": (candidates(id="c" * 1_048_350), "candidates[1].id has 1048350 bytes"),
    "long system": (candidates(system="s" * 513), "candidates[1].system has 513 bytes"),
    "answer not text": (candidates(text=b"4"), "candidates[1].text must be text, not bytes"),
    "many candidates": (
        replace(OK, candidates=(Candidate(id="a", text=""),) * 101),
        "101 candidates; at most 100",
    ),
    "reference not text": (changed(reference=4), "reference must be text, not int"),
    "time without a zone": (
        replace(OK, requested_at=datetime(2026, 1, 1)),  # noqa: DTZ001 - the fault
        "requested_at has no time zone",
    ),
    "time off the calendar": (
        replace(OK, requested_at=datetime(1, 1, 1, tzinfo=UTC)),
        "requested_at is 0001-01-01T00:00:00+00:00: it must lie between 1970 and 9998",
    ),
    "focus not of the table": (
        changed(options=changed(Options(), focus="middle")),
        "options.focus is 'middle': one of whole, last_turn",
    ),
    "a first-stage score that is not a number": (
        candidates(first_stage_score=float("nan")),
        "candidates[1].first_stage_score is nan: it must lie between -1e+09 and 1e+09",
    ),
    "a first-stage score as text": (
        candidates(first_stage_score="12.5"),
        "candidates[1].first_stage_score must be a number, not str",
    ),
    "a huge first-stage score": (
        candidates(first_stage_score=10**400),
        "candidates[1].first_stage_score is a number of",
    ),
    "a hybrid weight below 0": (
        replace(OK, mode="rerank", options=Options(hybrid_weight=-1)),
        "options.hybrid_weight is -1: it must lie between 0 and 1e+09",
    ),
    "a hybrid weight of 0": (
        replace(OK, mode="rerank", options=Options(hybrid_weight=0.0)),
        "options.hybrid_weight is 0, so the judge would not count: set it above 0, or leave it out",
    ),
    "an unknown role": (
        candidates(text="", turns=turns("user", "narrator")),
        "candidates[1].turns[2].role is 'narrator': one of user, assistant, system, tool",
    ),
    "text and turns": (
        candidates(turns=turns("user", "assistant")),
        "candidates[1] has both text and turns",
    ),
    "many turns": (
        candidates(text="", turns=turns("user") * 257),
        "candidates[1].turns has 257 messages; at most 256",
    ),
    "a turn that is not text": (
        candidates(text="", turns=(changed(Turn(role="user", text=""), text=3),)),
        "candidates[1].turns[1].text must be text, not int",
    ),
    "a discussion that starts with a question": (
        replace(OK, discussion=turns("user")),
        "discussion[1].role is 'user': judge and user alternate, so judge",
    ),
    "a discussion that ends with the judge": (
        replace(OK, discussion=turns("judge", "user", "judge")),
        "discussion must end with a question of the user",
    ),
    "a long discussion": (
        replace(OK, discussion=turns("judge", "user") * 9),
        "discussion has 18 messages; at most 16: leave out the oldest",
    ),
    "no criteria": (replace(OK, rubric=Rubric(criteria=())), "rubric has 0 criteria; 1 to 16"),
    "many criteria": (rubric(17), "rubric has 17 criteria; 1 to 16"),
    "a criterion twice": (
        replace(OK, rubric=Rubric(criteria=rubric().rubric.criteria * 2)),
        "criterion ids must be distinct: two are 'tone'",
    ),
    "a criterion's id with a slash": (
        rubric(id="a/b"),
        "rubric.criteria[1].id is 'a/b': use up to 64 letters",
    ),
    "a criterion without words": (rubric(description=" "), "criteria[1].description is empty"),
    "a scale upside down": (
        rubric(low=5.0, high=1.0),
        "low is 5 and high is 1: high must be larger",
    ),
    "a scale without width": (rubric(low=1.0, high=1.0), "high must be larger"),
    "a scale without end": (rubric(high=float("inf")), "high is inf: it must lie between"),
    "a weight of zero": (rubric(weight=0.0), "weight is 0: it must be above 0"),
    "a weight not a number": (rubric(weight=float("nan")), "weight is nan: it must lie between"),
    "a weight of text": (rubric(weight="1"), "weight must be a number, not str"),
    "a threshold off the scale": (
        replace(
            OK,
            rubric=Rubric(
                criteria=(Criterion(id="tone", description="polite", high=5.0, pass_threshold=6.0),)
            ),
        ),
        "criteria[1].pass_threshold is 6.0: it must lie between 1 and 5",
    ),
    "a total beyond 1": (
        rubric(1, 7.0),
        "rubric.pass_threshold is 7.0: it must lie between 0 and 1",
    ),
    "no tokens for an explanation": (
        replace(OK, options=Options(max_explanation_tokens=0)),
        "options.max_explanation_tokens is 0; 1 to 2048",
    ),
    "orders not of the table": (
        changed(options=changed(OK.options, orders="both ways")),
        "options.orders is 'both ways'",
    ),
    "pairs of a tournament negative": (
        replace(OK, options=Options(pairs=-1)),
        "options.pairs is -1; 0 (all) to 4294967295",
    ),
    "metadata a number": (
        changed(metadata={"n": 1}),
        "metadata 'n' must be text, not int",
    ),
    "metadata a list": (changed(metadata=["n"]), "metadata must map text to text"),
    "metadata key long": (replace(OK, metadata={"k" * 257: ""}), "a metadata key has 257 bytes"),
    "metadata value long": (
        replace(OK, metadata={"k": "v" * 16_385}),
        "metadata 'k' has 16385 bytes; at most 16384",
    ),
    "metadata flood": (
        replace(OK, metadata={str(k): "" for k in range(65)}),
        "metadata has 65 entries; at most 64",
    ),
    "metadata together": (
        replace(OK, metadata={str(k): "v" * 16_383 for k in range(5)}),
        "metadata has 81920 bytes; at most 65536",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_an_invalid_request_is_refused_with_the_name_of_its_field(name: str) -> None:
    asked, problem = REFUSED[name]
    assert request_problem(asked).startswith(problem) or problem in request_problem(asked)
    assert len(request_problem(asked)) < 400, "a problem never repeats a whole value"


KEPT = [
    " leading",
    "a/b/../c",
    "line\nbreak",
    "\u202eright to left",
    "\x00\x1b[31m",
    "é",
    "x" * 512,
]


@pytest.mark.parametrize("odd", KEPT)
def test_ids_are_opaque(odd: str) -> None:
    assert request_problem(replace(OK, request_id=odd)) == ""
    assert request_problem(candidates(id=odd)) == ""
    assert label_problem(replace(LABEL, label_id=odd, request_id=odd, winner=odd)) == ""


def test_values_at_their_limits_are_valid() -> None:
    asked = replace(
        OK,
        question="q" * limits.TEXT,
        metadata={f"{k:0256}": "v" * 256 for k in range(64)},
        options=Options(max_explanation_tokens=2048),
    )
    assert request_problem(asked) == ""


LABELS_REFUSED: dict[str, tuple[Any, str]] = {
    "neither": (replace(LABEL, winner=""), "has neither a winner nor a tie"),
    "both": (replace(LABEL, tie=True), "names the winner 'a' and a tie"),
    "nobody": (replace(LABEL, annotator=" "), "annotator is empty"),
    "of no request": (replace(LABEL, request_id=""), "request_id is empty"),
    "long": (replace(LABEL, winner="w" * 513), "winner has 513 bytes"),
    "a pass of a pair": (changed(LABEL, passed=True), "has passed and a winner or a tie"),
    "pass": (changed(LABEL, winner="", passed="yes"), "passed must be true or false, not str"),
    "probability": (
        changed(LABEL, sampling_probability=0.0),
        "sampling_probability is 0: what has a label",
    ),
    "no number": (
        changed(LABEL, sampling_probability=float("nan")),
        "sampling_probability is nan: it must lie between 0 and 1",
    ),
    "time": (changed(LABEL, labelled_at="today"), "labelled_at must be a datetime, not str"),
}


@pytest.mark.parametrize("name", LABELS_REFUSED)
def test_an_invalid_label_is_refused_with_the_reason(name: str) -> None:
    label, problem = LABELS_REFUSED[name]
    assert label_problem(label).startswith(problem)
    assert label_problem(replace(LABEL, winner="", tie=True)) == label_problem(LABEL) == ""
    assert label_problem(replace(LABEL, winner="", passed=False, sampling_probability=0.2)) == ""
