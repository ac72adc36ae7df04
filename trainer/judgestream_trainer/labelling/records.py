"""Judged pairs as rows of JudgeLM-100K (arXiv 2310.17631), under its field names."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from judgestream.core.templates.base import Grammar
from judgestream_trainer.data.example import Judgement
from judgestream_trainer.data.teacher import judgement_text
from judgestream_trainer.labelling.journal import Entry
from judgestream_trainer.labelling.pairing import Pair
from judgestream_trainer.labelling.prompts import KeyedPair
from judgestream_trainer.labelling.usable import judgement_of

UNASKED = "unasked"
USABLE = "usable"
NO_JUDGEMENT = "no_judgement"


@dataclass(kw_only=True, slots=True)
class Records:
    """Rows in the order of the pairs, and counts of the judgements behind them.

    blind, informed   judgements without and with reference: usable ones, and the others by reason
    dropped           pairs without a row, by reason
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    blind: Counter[str] = field(default_factory=Counter)
    informed: Counter[str] = field(default_factory=Counter)
    dropped: Counter[str] = field(default_factory=Counter)


def collect(pairs: Sequence[KeyedPair], answers: Mapping[str, Entry], grammar: Grammar) -> Records:
    """One row for every pair with a usable judgement."""
    records = Records()
    for keyed in pairs:
        blind = _judgement(keyed.blind, answers, grammar, records.blind)
        informed = _judgement(keyed.informed, answers, grammar, records.informed)
        if blind is None and informed is None:
            records.dropped[NO_JUDGEMENT] += 1
        else:
            records.rows.append(row(keyed.pair, blind, informed))
    return records


def row(pair: Pair, blind: Judgement | None, informed: Judgement | None) -> dict[str, Any]:
    """One training record. A missing judgement leaves out its two fields."""
    question = pair.question
    first, second = pair.answers
    values: dict[str, Any] = {
        "review_id": _review_id(pair),
        "question_id": question.id,
        "answer1_id": "",
        "answer2_id": "",
        "reviewer_id": 1,
        "metadata": {},
        "question_body": question.body,
        "answer1_body": first.text,
        "answer2_body": second.text,
        "answer1_model_id": first.model,
        "answer2_model_id": second.model,
        "answer1_metadata": {"decoding_method": first.decoding},
        "answer2_metadata": {"decoding_method": second.decoding},
    }
    if blind is not None:
        values |= {"score": list(blind.scores), "text": judgement_text(blind)}
    if question.reference is not None:
        values["reference"] = {"text": question.reference}
    if informed is not None:
        values |= {
            "score_w_reference": list(informed.scores),
            "text_w_reference": judgement_text(informed),
        }
    return values


def _judgement(
    key: str | None, answers: Mapping[str, Entry], grammar: Grammar, counts: Counter[str]
) -> Judgement | None:
    """The usable judgement under this key, which is counted by outcome. Without a key nothing is counted."""
    if key is None:
        return None
    entry = answers.get(key)
    result = UNASKED if entry is None else judgement_of(entry, grammar)
    if isinstance(result, Judgement):
        counts[USABLE] += 1
        return result
    counts[str(result)] += 1
    return None


def _review_id(pair: Pair) -> str:
    """22 hex digits from the question and the two models in their order."""
    parts = [str(pair.question.id), *(answer.model for answer in pair.answers)]
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:22]
