"""Queries with the documents that a retriever found for them, as BRIGHT, BEIR and RankLLM write them.

One record is one query: `query` is a text, or an object of text and id, and `documents`, `candidates`,
`passages` or `hits` is a list of documents with ids, texts and perhaps scores.
"""

import json
from collections.abc import Mapping

from judgestream.core.formats.base import Draft, RequestFormat, dataset_name
from judgestream.core.formats.fields import Fields, listed
from judgestream.core.formats.reasons import Aside
from judgestream.core.modes import RERANK
from judgestream.core.types import Candidate

LISTS = ("documents", "candidates", "passages", "hits")
IDS = ("id", "_id", "docid", "doc_id", "pid")
QUERY_IDS = ("query_id", "qid", "id", "_id")
TEXTS = ("text", "content", "contents", "passage", "segment", "body")
SCORES = ("score", "first_stage_score")
NOTHING = "N/A"
"""BRIGHT's only entry of a list of excluded ids that is empty."""


def convert(fields: Fields) -> Draft:
    """A request of mode rerank.

    A document's title stands above its text; without an id it is called by its place. Documents that
    `excluded_ids` names are left out, as BRIGHT asks. `gold_ids` goes into the metadata, as a JSON list.
    """
    query, number = _query(fields)
    excluded = _ids(fields, "excluded_ids")
    documents = [
        document for document in _documents(fields) if document.id not in excluded - {NOTHING}
    ]
    if len(documents) not in RERANK.candidates:
        fields.set_aside(
            Aside.DOCUMENT_COUNT,
            _list(fields),
            f"has {len(documents)} documents: mode {RERANK.name} takes {RERANK.candidates}",
        )
    content = [part for one in documents for part in (one.id, one.text, str(one.first_stage_score))]
    gold = sorted(_ids(fields, "gold_ids"))
    return Draft(
        name=dataset_name("retrieval", number, fields, query, *content),
        question=query,
        candidates=tuple(documents),
        mode=RERANK.name,
        metadata={"gold_ids": json.dumps(gold)} if gold else {},
    )


def _query(fields: Fields) -> tuple[str, str | None]:
    """The text and the id of the query."""
    number = fields.identity(*QUERY_IDS)
    if not isinstance(fields.values.get("query"), dict):
        return fields.text("query"), number
    inner = fields.inner("query")
    return _text(inner), inner.identity(*QUERY_IDS) or number


def _documents(fields: Fields) -> list[Candidate]:
    name = _list(fields)
    found: list[Candidate] = []
    for place, value in enumerate(fields.items(name), start=1):
        if isinstance(value, str):
            found.append(Candidate(id=str(place), text=value))
            continue
        one = fields.nested(f"{name}[{place - 1}]", value)
        inner = one.inner("doc") if isinstance(one.values.get("doc"), dict) else one
        score = one.first(*SCORES)
        found.append(
            Candidate(
                id=one.identity(*IDS) or inner.identity(*IDS) or str(place),
                text=_text(inner),
                first_stage_score=None if score is None else one.optional_number(score),
            )
        )
    return found


def _text(fields: Fields) -> str:
    """The text, under its title if there is one."""
    text = fields.text(fields.first(*TEXTS) or TEXTS[0])
    title = fields.optional_text("title")
    return f"{title}\n{text}" if title else text


def _ids(fields: Fields, name: str) -> set[str]:
    """The ids in a list of texts or whole numbers; none where the field is missing."""
    if not fields.has(name):
        return set()
    entries = [Fields({"id": entry}, fields.place).identity("id") for entry in fields.items(name)]
    return {entry for entry in entries if entry}


def _list(fields: Fields) -> str:
    return fields.first(*LISTS) or LISTS[0]


def _documents_of_a_query(values: Mapping[str, object]) -> bool:
    """Whether a list holds documents: texts, or objects that have a text themselves or in `doc`."""
    found = next((listed(values[name]) for name in LISTS if name in values), None)
    return isinstance(found, list) and bool(found) and all(map(_is_document, found))


def _is_document(value: object) -> bool:
    if isinstance(value, dict) and isinstance(value.get("doc"), dict):
        value = value["doc"]
    return isinstance(value, str) or (isinstance(value, dict) and any(t in value for t in TEXTS))


RETRIEVAL = RequestFormat(
    name="retrieval",
    summary="a query and its documents with ids, texts and perhaps scores, as retrievers write them:"
    " mode `rerank`",
    needs=(("query",), LISTS),
    convert=convert,
    when=_documents_of_a_query,
)
