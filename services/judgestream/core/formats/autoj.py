"""Auto-J's test pairs with human labels, its own predictions on them, and its single-answer training rows."""

import re
from collections.abc import Iterator
from dataclasses import replace

from judgestream.core.formats.base import (
    Draft,
    Found,
    Grade,
    RequestFormat,
    Vote,
    dataset_name,
    pair_of,
)
from judgestream.core.formats.fields import Fields, SetAside, shortened
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.types import Candidate

_WINNERS = {0: "1", 1: "2", 2: ""}
_SINGLE = re.compile(
    r"\[BEGIN DATA\]\n\*\*\*\n\[Query\]: (.*?)\n\*\*\*\n\[Response\]: (.*)\n\*\*\*\n\[END DATA\]",
    re.DOTALL,
)
EXCHANGED = "exchange"
"""In the name of a prediction file that was made with the responses exchanged."""


def convert(fields: Fields) -> Draft:
    """`prompt`, `response 1`, `response 2`; `label` is 0 for the first, 1 for the second, 2 for a tie."""
    question = fields.text("prompt")
    answers = [fields.text(f"response {k}") for k in (1, 2)]
    votes: tuple[Vote, ...] = ()
    if fields.filled("label"):
        label = fields.whole("label", (0, 1, 2))
        if label is None:
            found = shortened(fields.values["label"])
            fields.reject("label", f"must be 0 (first), 1 (second) or 2 (tie), not {found}")
        votes = (Vote(annotator="human", winner=_WINNERS[label]),)
    scenario = fields.name("scenario")
    return Draft(
        name=dataset_name("autoj", None, fields, question, *answers),
        question=question,
        candidates=pair_of(answers),
        votes=votes,
        unlabelled=() if votes else (NoLabel.NO_WINNER,),
        metadata={"scenario": scenario} if scenario else {},
        place=fields.place,
    )


class AutoJ:
    """The test pairs with Auto-J's predictions, joined by row number. A prediction names the better
    response in the order in which they were shown."""

    def __init__(self) -> None:
        self._drafts: dict[int, Draft] = {}
        self._predictions: list[tuple[Fields, str, bool]] = []

    def add(self, part: str, fields: Fields) -> None:
        if part == AUTOJ.name:
            self._drafts[fields.place.number] = convert(fields)
            return
        label = fields.whole("output", (0, 1, 2))
        exchanged = EXCHANGED in fields.place.file.rpartition("/")[2]
        self._predictions.append((fields, "?" if label is None else _WINNERS[label], exchanged))

    def outcomes(self) -> Iterator[Found]:
        for fields, winner, exchanged in self._predictions:
            draft = self._drafts.get(fields.place.number)
            if draft is None:
                problem = f"{fields.place}: no test pair has this number"
                yield SetAside(f"{problem}: give testdata_pairwise.jsonl as well", Aside.NO_TEXTS)
                continue
            by = "auto-j-exchanged" if exchanged else "auto-j"
            shown = {"1": "2", "2": "1"}.get(winner, winner) if exchanged else winner
            lost = (NoLabel.UNREADABLE_JUDGEMENT,) if winner == "?" else ()
            votes = () if lost else (Vote(annotator=by, winner=shown),)
            self._drafts[fields.place.number] = replace(
                draft, votes=draft.votes + votes, unlabelled=draft.unlabelled + lost
            )
        yield from self._drafts.values()


def convert_single(fields: Fields) -> Draft:
    """`usrmsg` holds the query and one response between markers, `pred_score` GPT-4's rating of it."""
    match = _SINGLE.search(fields.text("usrmsg"))
    if match is None:
        fields.set_aside(
            Aside.UNKNOWN_PROMPT, "usrmsg", "has no query and response between markers"
        )
    score = fields.optional_number("pred_score")
    return Draft(
        name=dataset_name("autoj-single", None, fields, *match.groups()),
        question=match[1],
        candidates=(Candidate(id="1", text=match[2]),),
        mode="single",
        grade=Grade(annotator="gpt-4", value=score) if score is not None else None,
        metadata={"scenario": fields.name("scenario")} if fields.filled("scenario") else {},
    )


AUTOJ = RequestFormat(
    name="autoj",
    summary="Auto-J's test pairs: prompt, response 1, response 2; label is a person's",
    needs=(("response 1",), ("response 2",)),
    convert=convert,
    join=AutoJ,
)
AUTOJ_PREDICTIONS = RequestFormat(
    name="autoj-predictions",
    summary="Auto-J's predictions, joined with its test pairs by row number",
    needs=(("output",),),
    join=AutoJ,
    when=lambda values: set(values) == {"output"},
)
AUTOJ_SINGLE = RequestFormat(
    name="autoj-single",
    summary="Auto-J's single-answer training rows: usrmsg, pred_score",
    needs=(("usrmsg",), ("target_output",)),
    convert=convert_single,
)
