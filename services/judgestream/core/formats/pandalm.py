"""PandaLM's test set: an instruction, two responses, three human annotators."""

import re

from judgestream.core.formats.base import Draft, Format, Vote, dataset_name
from judgestream.core.formats.fields import Fields, kind
from judgestream.core.types import Candidate

_ANNOTATOR = re.compile(r"annotator(\d+)")
_WINNERS = {0: "", 1: "1", 2: "2"}


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
        "motivation_app": fields.values.get("motivation_app"),
    }
    return Draft(
        name=dataset_name("pandalm", number, fields, instruction, extra, key, *responses),
        question=f"{instruction}\n\n{extra}" if extra.strip() else instruction,
        candidates=tuple(
            Candidate(id=str(k), text=text, system=systems[k - 1])
            for k, text in enumerate(responses, start=1)
        ),
        votes=tuple(_votes(fields)),
        metadata={name: str(value) for name, value in metadata.items() if value},
    )


def _votes(fields: Fields) -> list[Vote]:
    votes = []
    for name, value in fields.values.items():
        match = _ANNOTATOR.fullmatch(name)
        if match is None or value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or value not in _WINNERS:
            found = repr(value) if isinstance(value, int | float | str) else kind(value)
            fields.reject(name, f"must be 0 (tie), 1 or 2, not {found}")
        votes.append(Vote(annotator=f"human-{match[1]}", winner=_WINNERS[value]))
    return votes


PANDALM = Format(
    name="pandalm",
    summary="PandaLM's test set: instruction, input, response1, response2; annotator1..3 are labels",
    needs=(("instruction",), ("response1",), ("response2",)),
    convert=convert,
)
