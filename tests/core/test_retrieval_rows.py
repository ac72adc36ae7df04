"""Queries with their documents, as BRIGHT, BEIR and RankLLM write them."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from judgestream.contracts.request_format import SUBMITTED
from judgestream.core.formats import detect
from judgestream.core.formats.base import Draft, finish
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, SetAside
from judgestream.core.formats.reasons import Aside
from judgestream.core.formats.retrieval import RETRIEVAL, convert
from judgestream.core.modes import check

PLACE = Place(file="run.jsonl", number=3)
BRIGHT: dict[str, object] = {
    "id": "7",
    "query": "Why do leaves turn red?",
    "documents": [
        {"id": "bio_1", "content": "Anthocyanins.", "score": 12.5},
        {"id": "bio_2", "content": "Bread.", "score": 3},
        {"id": "bio_3", "content": "Seen already.", "score": 20.0},
    ],
    "excluded_ids": ["bio_3"],
    "gold_ids": ["bio_1"],
}
BEIR: dict[str, object] = {
    "query_id": 4,
    "query": "leaves",
    "documents": [
        {"_id": "a", "title": "Leaf", "text": "An organ.", "score": "1.5"},
        {"_id": "b", "title": "", "text": "A page."},
    ],
}
RANK_LLM: dict[str, object] = {
    "query": {"text": "leaves", "qid": "q9"},
    "candidates": [
        {"docid": "m1", "score": 9.0, "doc": {"title": "Leaf", "contents": "An organ."}},
        {"docid": "m2", "score": 8.0, "doc": {"contents": "A page."}},
    ],
}


def draft(values: Mapping[str, object]) -> Draft:
    return convert(Fields(values, PLACE))


def documents(values: dict[str, object]) -> list[tuple[str, str, float | None]]:
    return [(one.id, one.text, one.first_stage_score) for one in draft(values).candidates]


def test_bright_leaves_out_excluded_documents_and_keeps_the_gold_ids() -> None:
    assert documents(BRIGHT) == [("bio_1", "Anthocyanins.", 12.5), ("bio_2", "Bread.", 3.0)]
    made = draft(BRIGHT)
    assert (made.mode, made.question) == ("rerank", "Why do leaves turn red?")
    assert made.metadata == {"gold_ids": '["bio_1"]'}
    assert len(documents(BRIGHT | {"excluded_ids": ["N/A"]})) == 3


def test_beir_titles_stand_above_their_texts_and_scores_may_be_missing() -> None:
    assert documents(BEIR) == [("a", "Leaf\nAn organ.", 1.5), ("b", "A page.", None)]
    assert draft(BEIR).name.startswith("retrieval-4-")


def test_rank_llm_candidates_hold_their_documents() -> None:
    assert documents(RANK_LLM) == [("m1", "Leaf\nAn organ.", 9.0), ("m2", "A page.", 8.0)]
    assert draft(RANK_LLM).name.startswith("retrieval-q9-")


def test_plain_texts_are_numbered() -> None:
    assert documents({"query": "q", "passages": ["x", "y"]}) == [("1", "x", None), ("2", "y", None)]


@pytest.mark.parametrize("values", [BRIGHT, BEIR, RANK_LLM], ids=["bright", "beir", "rank-llm"])
def test_rows_are_recognised_and_become_valid_requests(values: dict[str, object]) -> None:
    assert detect(values, SUBMITTED) is RETRIEVAL
    request = finish(draft(values), at=datetime(2026, 1, 2, tzinfo=UTC)).request
    assert check(request).name == "rerank"


def test_the_content_decides_on_the_id() -> None:
    changed = {**BEIR, "documents": [{"_id": "a", "text": "x"}, {"_id": "b", "text": "y"}]}
    assert draft(BEIR).name == draft(dict(BEIR)).name != draft(changed).name


@pytest.mark.parametrize("count", [0, 1, 101])
def test_another_number_of_documents_is_set_aside(count: int) -> None:
    values = {"query": "q", "documents": [{"id": k, "text": "x"} for k in range(count)]}
    with pytest.raises(
        SetAside, match=f"has {count} documents: mode rerank takes 2 to 100"
    ) as aside:
        draft(values)
    assert aside.value.reason is Aside.DOCUMENT_COUNT


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"query": None}, "query"),
        ({"query": 7}, "query"),
        ({"documents": [{"id": 1}, {"id": 2}]}, r"documents\[0\]"),
        ({"documents": [{"text": "x", "score": "high"}] * 2}, r"documents\[0\].*score"),
        ({"documents": "none"}, "documents"),
        ({"documents": [3, 4]}, r"documents\[0\]"),
    ],
)
def test_a_malformed_row_is_named(change: dict[str, object], problem: str) -> None:
    with pytest.raises(InvalidRecord, match=problem):
        draft(BRIGHT | change)
