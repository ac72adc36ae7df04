"""Pairs of answers to the same question from separate records."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from judgestream.core.formats.base import Draft, Vote, dataset_name, pair_of
from judgestream.core.formats.fields import Fields, InvalidRecord, Place, SetAside
from judgestream.core.formats.reasons import Aside, NoLabel

QUESTION = "question"
"""The join by the question's text; any other name is that of a field."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """One answer with its place and its join key."""

    draft: Draft
    place: Place
    key: str | None

    @property
    def source(self) -> tuple[str, str]:
        return self.place.file, self.draft.candidates[0].system

    @property
    def text(self) -> str:
        return self.draft.candidates[0].text


def joined(answers: Sequence[Answered]) -> Iterator[tuple[Place, Draft | InvalidRecord]]:
    """Every pair of answers to one question that come from different sources (a file, and a system where it
    is named). Where all come from one source, they are several samples of it, and every pair of them counts.

    Two grades by the same annotator make the label.
    """
    groups: dict[str | None, list[Answered]] = {}
    for one in answers:
        groups.setdefault(one.key, []).append(one)
    for key, group in groups.items():
        if key is None:
            for one in group:
                problem = f"{one.place}: has no such field to be joined by"
                yield one.place, SetAside(problem, Aside.NO_PARTNER)
        else:
            yield from _pairs(_distinct(group))


def _distinct(group: Sequence[Answered]) -> list[Answered]:
    return list({(one.source, one.text, one.draft.grade): one for one in group}.values())


def _pairs(group: Sequence[Answered]) -> Iterator[tuple[Place, Draft | InvalidRecord]]:
    sources = [one.source for one in group]
    if len(group) < 2:
        problem = f"{group[0].place}: no other answer to the same question"
        yield group[0].place, SetAside(problem, Aside.NO_PARTNER)
        return
    if len(set(sources)) > 1:
        for one in group:
            if sources.count(one.source) > 1:
                problem = f"{one.place}: the same source has another answer to this question"
                yield one.place, SetAside(problem, Aside.AMBIGUOUS_ID)
        group = [one for one in group if sources.count(one.source) == 1]
        if len(group) == 1:
            problem = f"{group[0].place}: no other answer to the same question that is certain"
            yield group[0].place, SetAside(problem, Aside.NO_PARTNER)
    for first, second in combinations(group, 2):
        yield first.place, _pair(first, second)


def _pair(first: Answered, second: Answered) -> Draft | InvalidRecord:
    one, other = first.draft, second.draft
    if one.question.strip() != other.question.strip():
        problem = f"{first.place}: joined with {second.place}, whose question is another"
        return SetAside(problem, Aside.QUESTIONS_DIFFER)
    votes, lost = _label(one, other)
    texts = first.text, second.text
    systems = one.candidates[0].system, other.candidates[0].system
    fields = Fields({}, first.place)
    return replace(
        one,
        name=dataset_name("joined", None, fields, one.question, *texts, *systems),
        candidates=pair_of(texts, systems),
        mode="pairwise",
        reference=one.reference if one.reference == other.reference else None,
        votes=votes,
        unlabelled=(*one.unlabelled, *other.unlabelled, *lost),
        grade=None,
        conversations=(*one.conversations, *other.conversations),
        place=first.place,
        metadata={k: v for k, v in one.metadata.items() if other.metadata.get(k) == v},
    )


def _label(one: Draft, other: Draft) -> tuple[tuple[Vote, ...], tuple[NoLabel, ...]]:
    high, low = one.grade, other.grade
    if high is None or low is None or high.annotator != low.annotator:
        return (), ()
    if high.value == low.value and not (high.equal_ties and low.equal_ties):
        return (), (NoLabel.EQUAL_SCORES,)
    winner = "" if high.value == low.value else "1" if high.value > low.value else "2"
    return (Vote(annotator=high.annotator, winner=winner),), ()
