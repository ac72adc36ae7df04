"""OpenAI-style records: the conversation so far, and the replies under judgement."""

from judgestream.core.formats.base import Draft, Format, dataset_name
from judgestream.core.formats.conversation import content_text, transcript
from judgestream.core.formats.fields import Fields
from judgestream.core.types import Candidate

REPLIES = ("choices", "candidates", "completions")


def convert(fields: Fields) -> Draft:
    """`messages` up to and with the question, and two replies in `choices`, `candidates` or `completions`.

    A reply is text, a choice of a chat response (`{"message": {"content": ...}}`), a choice of a
    completion (`{"text": ...}`) or a message (`{"content": ...}`). A reply's `model` names its system.
    `id` is the request id, `reference` an optional reference answer. One reply with a reference is judged
    in mode `single`.
    """
    question = transcript(fields, "messages", fields.items("messages"))
    name = next((name for name in REPLIES if fields.has(name)), REPLIES[0])
    replies = fields.items(name)
    reference = fields.optional_text("reference")
    if len(replies) != 2 and not (len(replies) == 1 and reference):
        fields.reject(
            name, f"needs two replies (or one, with a `reference`), and has {len(replies)}"
        )
    candidates = tuple(
        _candidate(fields, f"{name}[{k}]", reply, k + 1) for k, reply in enumerate(replies)
    )
    given = fields.identity("id", "request_id", "custom_id")
    return Draft(
        name=given
        or dataset_name("openai", None, fields, question, *(one.text for one in candidates)),
        question=question,
        candidates=candidates,
        mode="pairwise" if len(candidates) == 2 else "single",
        reference=reference,
    )


def _candidate(fields: Fields, name: str, reply: object, number: int) -> Candidate:
    if isinstance(reply, str):
        text = Fields({name: reply}, fields.place).text(name)
        return Candidate(id=str(number), text=text)
    choice = fields.nested(name, reply)
    if choice.has("message"):
        text = content_text(choice.nested("message", choice.values["message"]))
    elif choice.has("text"):
        text = choice.text("text")
    else:
        text = content_text(choice)
    return Candidate(id=str(number), text=text, system=choice.optional_text("model") or "")


OPENAI = Format(
    name="openai",
    summary="OpenAI-style: messages, and two replies in choices, candidates or completions",
    needs=(("messages",), REPLIES),
    convert=convert,
)
