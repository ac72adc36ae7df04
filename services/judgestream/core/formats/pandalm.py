"""PandaLM's test set: an instruction, two responses, three human annotators; and judges' results on it."""

import re
from collections.abc import Iterator
from dataclasses import replace

from judgestream.core.formats.base import (
    Draft,
    Found,
    RequestFormat,
    Vote,
    dataset_name,
    pair_of,
)
from judgestream.core.formats.fields import Fields, Place, SetAside, shortened
from judgestream.core.formats.reasons import Aside, NoLabel

_ANNOTATOR = re.compile(r"annotator(\d+)")
_WINNERS = {0: "", 1: "1", 2: "2"}
_RESULTS = {"gpt": "gpt-3.5-turbo", "pandalm": "pandalm-7b"}
"""Of the published result files: the prefix of their fields, and the judge."""


def convert(fields: Fields) -> Draft:
    """The question is the instruction, then the input on its own paragraph, if there is one.

    Some responses are JSON booleans in the published file; they become "True" and "False".
    `cmp_key` is the two systems joined by "_". `annotatorK` is 0 for a tie, else the better response.
    """
    instruction = fields.text("instruction")
    extra = fields.optional_text("input") or ""
    responses = [fields.scalar_text(f"response{k}") for k in (1, 2)]
    key = fields.optional_text("cmp_key") or ""
    systems = key.split("_") if key.count("_") == 1 else ["", ""]
    number = fields.identity("idx")
    metadata = {
        "idx": number,
        "cmp_key": key,
        "motivation_app": fields.name("motivation_app"),
    }
    return Draft(
        name=dataset_name("pandalm", number, fields, instruction, extra, key, *responses),
        question=f"{instruction}\n\n{extra}" if extra.strip() else instruction,
        candidates=pair_of(responses, systems),
        votes=tuple(_votes(fields)),
        metadata={name: str(value) for name, value in metadata.items() if value},
        place=fields.place,
    )


def _votes(fields: Fields) -> Iterator[Vote]:
    for name in fields.values:
        match = _ANNOTATOR.fullmatch(name)
        if match is None or not fields.filled(name):
            continue
        value = fields.whole(name, (0, 1, 2))
        if value is None:
            found = shortened(fields.values[name])
            fields.reject(name, f"must be 0 (tie), 1 or 2, not {found}")
        yield Vote(annotator=f"human-{match[1]}", winner=_WINNERS[value])


class PandaLM:
    """The test set with the results of judges on it, joined by `idx`."""

    def __init__(self) -> None:
        self._drafts: list[Draft] = []
        self._results: dict[str, list[tuple[str, str, Place]]] = {}

    def add(self, part: str, fields: Fields) -> None:
        if part == PANDALM.name:
            self._drafts.append(convert(fields))
            return
        number = fields.identity("idx")
        if number is None:
            fields.reject("idx", "is missing, and results are joined by it")
        prefix = next((one for one in _RESULTS if f"{one}_result" in fields.values), "")
        word = fields.scalar_text(f"{prefix}_result").strip().lower()
        self._results.setdefault(number, []).append((_RESULTS[prefix], word, fields.place))

    def outcomes(self) -> Iterator[Found]:
        known: set[str] = set()
        for draft in self._drafts:
            number = draft.metadata.get("idx", "")
            known.add(number)
            yield _with_results(draft, self._results.get(number, []))
        for number, results in self._results.items():
            if number not in known:
                for _, _, place in results:
                    problem = f"{place}: no row of the test set has idx {number}"
                    yield SetAside(f"{problem}: give testset-v1.json as well", Aside.NO_TEXTS)


def _with_results(draft: Draft, results: list[tuple[str, str, Place]]) -> Draft:
    words = {"1": "1", "2": "2", "0": "", "tie": ""}
    votes = [Vote(annotator=by, winner=words[word]) for by, word, _ in results if word in words]
    lost = [NoLabel.UNREADABLE_JUDGEMENT for _, word, _ in results if word not in words]
    return replace(draft, votes=(*draft.votes, *votes), unlabelled=(*draft.unlabelled, *lost))


PANDALM = RequestFormat(
    name="pandalm",
    summary="PandaLM's test set: instruction, input, two responses; annotator1..3 are labels",
    needs=(("instruction",), ("response1",), ("response2",)),
    convert=convert,
    join=PandaLM,
)
PANDALM_RESULTS = RequestFormat(
    name="pandalm-results",
    summary="judges' results on PandaLM's test set (0 or Tie, 1, 2), joined with it by idx",
    needs=(("gpt_result", "pandalm_result"),),
    join=PandaLM,
)
