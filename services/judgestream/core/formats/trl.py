"""TRL preference rows: one prompt, the chosen and the rejected answer."""

from judgestream.core.formats.base import Draft, Format, Vote, dataset_name, digest
from judgestream.core.formats.conversation import transcript
from judgestream.core.formats.fields import Fields, kind
from judgestream.core.types import Candidate

GOLD = "gold"
CHOSEN, REJECTED = "chosen", "rejected"


def convert(fields: Fields) -> Draft:
    """The label says that the chosen answer wins.

    Which answer stands first is decided by a digest of the id, not by chance: half of the rows have the
    chosen one second, the same ones every time, so the order gives nothing away. The candidate ids are
    `chosen` and `rejected`; the judge is never shown an id.

    Texts or lists of messages are taken alike. Conversations without a `prompt` have it as the messages
    that both begin with.
    """
    prompt, answers = _split(fields)
    given = fields.identity("id", "request_id", "prompt_id")
    name = given or dataset_name("trl", None, fields, prompt, *answers.values())
    order = (CHOSEN, REJECTED)
    if chosen_second(name):
        order = (REJECTED, CHOSEN)
    return Draft(
        name=name,
        question=prompt,
        candidates=tuple(
            Candidate(id=side, text=answers[side], system=_system(fields, side)) for side in order
        ),
        votes=(Vote(annotator=GOLD, winner=CHOSEN),),
    )


def chosen_second(name: str) -> bool:
    """Whether the chosen answer of the row with this id is shown as the second candidate."""
    return int(digest("order", name, length=8), 16) % 2 == 1


def _split(fields: Fields) -> tuple[str, dict[str, str]]:
    values = {side: fields.values.get(side) for side in (CHOSEN, REJECTED)}
    if not any(isinstance(value, list) for value in values.values()):
        return _prompt(fields), {side: fields.text(side) for side in values}
    lists = {side: list(fields.items(side)) for side in values}
    if fields.has("prompt"):
        prompt, shared = _prompt(fields), 0
        if isinstance(fields.values["prompt"], list):
            opening = list(fields.items("prompt"))
            if all(turns[: len(opening)] == opening for turns in lists.values()):
                shared = len(opening)
    else:
        shared = _shared(lists[CHOSEN], lists[REJECTED])
        if shared == 0:
            fields.reject("prompt", "is missing, and the conversations begin differently")
        prompt = transcript(fields, CHOSEN, lists[CHOSEN][:shared])
    return prompt, {side: transcript(fields, side, turns[shared:]) for side, turns in lists.items()}


def _prompt(fields: Fields) -> str:
    value = fields.values.get("prompt")
    return transcript(fields, "prompt", value) if isinstance(value, list) else fields.text("prompt")


def _shared(first: list[object], second: list[object]) -> int:
    """How many messages both lists begin with."""
    both = list(zip(first, second, strict=False))
    return next((k for k, (a, b) in enumerate(both) if a != b), len(both))


def _system(fields: Fields, side: str) -> str:
    value = fields.values.get(f"{side}_model")
    if value is None:
        return ""
    if not isinstance(value, str):
        fields.reject(f"{side}_model", f"must be text, not {kind(value)}")
    return value


TRL = Format(
    name="trl",
    summary="TRL preference rows: prompt, chosen, rejected, as text or messages; the label: chosen wins",
    needs=((CHOSEN,), (REJECTED,)),
    convert=convert,
)
