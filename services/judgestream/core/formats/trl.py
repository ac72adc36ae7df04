"""Preference rows in the forms that TRL, hh-rlhf, UltraFeedback and Orca DPO publish: chosen and rejected."""

from judgestream.core.conversation import ASSISTANT, SYSTEM, USER, Turn
from judgestream.core.formats.base import Draft, RequestFormat, Vote, dataset_name, digest
from judgestream.core.formats.conversation import (
    compared,
    dialogue,
    message_list,
    transcript,
    turns,
)
from judgestream.core.formats.fields import Fields
from judgestream.core.formats.reasons import Aside, NoLabel
from judgestream.core.types import Candidate

GOLD = "gold"
CHOSEN, REJECTED = "chosen", "rejected"
PROMPTS = ("prompt", "question", "instruction", "input", "conversations")
SCORES = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
    ("chosen_avg_rating", "rejected_avg_rating"),
)
ECHO_WORDS = 3
"""If both answers begin with a prompt of at least this many words, they contain a copy of it."""


def convert(fields: Fields) -> Draft:
    """The label says that the chosen answer wins, unless the row's scores name no winner or the other one.

    Which answer comes first is decided by a digest of the id, not by chance: half of the rows have the
    chosen one second, the same ones every time, so the order gives nothing away. The candidate ids are
    `chosen` and `rejected`; the judge is never shown an id.

    Answers are texts, dialogues ("\\n\\nHuman: ...") or lists of messages; a list may hold the answer only
    or the whole conversation. Conversations without a prompt have it as the messages that both begin with.

    Raises:
        InvalidRecord: a field is missing or of another type.
        SetAside: it is not certain where the question ends.
    """
    question, chosen, rejected = _split(fields)
    return preference(fields, "trl", question, chosen, rejected)


def preference(fields: Fields, form: str, question: str, chosen: str, rejected: str) -> Draft:
    """A request of a preferred and another answer; ids, order and label as `convert` has them."""
    number = fields.identity("id", "prompt_id", "custom_id")
    given = fields.identity("request_id")
    name = given or dataset_name(form, number, fields, question, chosen, rejected)
    answers = {CHOSEN: chosen, REJECTED: rejected}
    order = (REJECTED, CHOSEN) if chosen_second(name) else (CHOSEN, REJECTED)
    contradicted = _contradicted(fields)
    return Draft(
        name=name,
        question=question,
        candidates=tuple(
            Candidate(id=one, text=answers[one], system=fields.name(f"{one}_model"))
            for one in order
        ),
        votes=() if contradicted else (Vote(annotator=GOLD, winner=CHOSEN),),
        unlabelled=(contradicted,) if contradicted else (),
    )


def chosen_second(name: str) -> bool:
    """Whether the chosen answer of the row with this id is shown as the second candidate."""
    return int(digest("order", name, length=8), 16) % 2 == 1


def _contradicted(fields: Fields) -> NoLabel | None:
    """Why the row's scores contradict its field names; None if they agree or are missing."""
    for better, worse in SCORES:
        if better in fields.values and fields.filled(better) and fields.filled(worse):
            high, low = fields.number(better), fields.number(worse)
            if high == low:
                return NoLabel.EQUAL_SCORES
            if high < low:
                return NoLabel.SCORES_CONTRADICT
    return None


def _split(fields: Fields) -> tuple[str, str, str]:
    """Question, chosen and rejected answer."""
    if not fields.has(CHOSEN) or not fields.has(REJECTED):
        fields.reject(CHOSEN if not fields.has(CHOSEN) else REJECTED, "is missing")
    lists = [message_list(fields.values[side]) for side in (CHOSEN, REJECTED)]
    name = next((one for one in PROMPTS if fields.filled(one)), None)
    if all(messages is None for messages in lists):
        return _texts(fields, name, fields.text(CHOSEN), fields.text(REJECTED))
    if any(messages is None for messages in lists):
        fields.reject(
            REJECTED, "is of another form than `chosen`: write both as text, or both as messages"
        )
    first, second = (
        turns(fields, side, messages or [])
        for side, messages in zip((CHOSEN, REJECTED), lists, strict=True)
    )
    if name is None:
        return compared(fields, CHOSEN, first, second)
    messages = message_list(fields.values[name])
    if messages is None:
        return _text_prompt(fields, name, first, second)
    opening = turns(fields, name, messages)
    if all(one[: len(opening)] == opening for one in (first, second)):
        return compared(fields, CHOSEN, first, second, opening=len(opening))
    return _answers_only(fields, name, opening, first, second)


def _text_prompt(
    fields: Fields, name: str, first: list[Turn], second: list[Turn]
) -> tuple[str, str, str]:
    """A prompt in text beside messages: the prompt is what the conversations open with, or all that is
    asked, where they hold answers only."""
    prompt = prompt_text(fields, name)
    opening = _system(fields) + (dialogue_prompt(prompt) or [Turn(role=USER, text=prompt)])
    if not any(turn.role in (USER, SYSTEM) for turn in (first[0], second[0])):
        return _answers_only(fields, name, opening, first, second)
    asked = [turn.text.strip() for turn in first if turn.role == USER]
    if prompt.strip() not in asked and transcript(opening).strip() not in asked:
        problem = "is not what the conversations in `chosen` and `rejected` open with"
        fields.set_aside(Aside.PROMPT_DIFFERS, name, problem)
    return compared(fields, CHOSEN, first, second)


def _answers_only(
    fields: Fields, name: str, opening: list[Turn], first: list[Turn], second: list[Turn]
) -> tuple[str, str, str]:
    """Messages that hold the answers alone, with a separate prompt."""
    if any(turn.role in (USER, SYSTEM) for turn in (first[0], second[0])):
        problem = "is not what the conversations in `chosen` and `rejected` open with"
        fields.set_aside(Aside.PROMPT_DIFFERS, name, problem)
    return compared(fields, CHOSEN, [*opening, *first], [*opening, *second], opening=len(opening))


def _texts(fields: Fields, name: str | None, chosen: str, rejected: str) -> tuple[str, str, str]:
    if name is None:
        said = [dialogue(text) for text in (chosen, rejected)]
        if said[0] is None or said[1] is None:
            problem = "is missing, and nothing in the texts says where the question ends"
            fields.set_aside(Aside.NO_PROMPT, "prompt", problem)
        return compared(fields, CHOSEN, said[0], said[1])
    messages = message_list(fields.values[name])
    if messages is not None:
        question = transcript(turns(fields, name, messages))
    else:
        prompt = prompt_text(fields, name)
        opening = dialogue_prompt(prompt)
        question = transcript([*_system(fields), *(opening or [Turn(role=USER, text=prompt)])])
        chosen, rejected = _without_echo(prompt, chosen, rejected)
    return question, chosen, rejected


def prompt_text(fields: Fields, name: str) -> str:
    """The prompt; an `input` follows the instruction in a separate paragraph."""
    text = fields.text(name)
    extra = fields.optional_text("input") if name == "instruction" else None
    return f"{text}\n\n{extra}" if (extra or "").strip() else text


def dialogue_prompt(text: str) -> list[Turn] | None:
    """The turns of a prompt in hh-rlhf's form that ends with "Assistant:", where the answer continues."""
    said = dialogue(text)
    if said is None or said[-1] != Turn(role=ASSISTANT, text=""):
        return None
    return said[:-1]


def _without_echo(prompt: str, chosen: str, rejected: str) -> tuple[str, str]:
    """The answers without the prompt, where both begin with a copy of it."""
    echoed = chosen.startswith(prompt) and rejected.startswith(prompt)
    rest = chosen[len(prompt) :].strip(), rejected[len(prompt) :].strip()
    if echoed and len(prompt.split()) >= ECHO_WORDS and all(rest):
        return rest
    return chosen, rejected


def _system(fields: Fields) -> list[Turn]:
    """The system prompt from its own field of the row."""
    for name in ("system", "system_prompt"):
        if fields.filled(name) and isinstance(fields.values[name], str):
            return [Turn(role=SYSTEM, text=fields.text(name))]
    return []


TRL = RequestFormat(
    name="trl",
    summary="preference rows (TRL, hh-rlhf, UltraFeedback binarized, Orca DPO): chosen and rejected, as"
    " text, dialogue or messages, with or without a prompt; the label: chosen wins",
    needs=((CHOSEN,), (REJECTED,)),
    convert=convert,
)
