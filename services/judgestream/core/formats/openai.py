"""OpenAI's records: chat completions with their request, preference rows, batch input and output."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from judgestream.core.conversation import ASSISTANT, Turn
from judgestream.core.formats.base import (
    Draft,
    Found,
    RequestFormat,
    dataset_name,
    pair_of,
)
from judgestream.core.formats.conversation import (
    content_text,
    message_list,
    transcript,
    transcript_of_reply,
    turns,
)
from judgestream.core.formats.fields import Fields, InvalidRecord, SetAside
from judgestream.core.formats.reasons import Aside
from judgestream.core.formats.trl import preference
from judgestream.core.types import Candidate

REPLIES = ("choices", "candidates", "completions")


def convert(fields: Fields) -> Draft:
    """`messages` up to and with the question, and two replies in `choices`, `candidates` or `completions`.

    A reply is text, a choice of a chat response (`{"message": {"content": ...}}`), a choice of a
    completion (`{"text": ...}`) or a message (`{"content": ...}`). A reply's `model` names its system.
    `id`, `custom_id` and the content make the request id, `reference` is an optional reference answer. One
    reply is judged in mode `single` by its reference, or joined with that of another file.
    """
    opening = turns(fields, "messages", fields.items("messages"))
    name = fields.first(*REPLIES) or REPLIES[0]
    replies = fields.items(name)
    if len(replies) not in (1, 2):
        fields.reject(name, f"needs one reply or two, and has {len(replies)}")
    candidates = tuple(
        _candidate(fields, f"{name}[{k}]", reply, k + 1) for k, reply in enumerate(replies)
    )
    return _draft(fields, "openai", opening, candidates)


def _draft(
    fields: Fields, form: str, opening: Sequence[Turn], candidates: tuple[Candidate, ...]
) -> Draft:
    """The answers to what the opening ends with."""
    question = transcript(opening)
    number = fields.identity("id", "custom_id")
    texts = [candidate.text for candidate in candidates]
    return Draft(
        name=fields.identity("request_id") or dataset_name(form, number, fields, question, *texts),
        question=question,
        candidates=candidates,
        mode="pairwise" if len(candidates) == 2 else "single",
        reference=fields.optional_text("reference"),
        conversations=tuple(
            (*opening, Turn(role=ASSISTANT, text=candidate.text)) for candidate in candidates
        ),
    )


def _candidate(fields: Fields, name: str, reply: object, number: int) -> Candidate:
    if isinstance(reply, str):
        text = Fields({name: reply}, fields.place).text(name)
        return Candidate(id=str(number), text=text, system=fields.name("model"))
    choice = fields.nested(name, reply)
    if choice.has("message"):
        text = content_text(choice.nested("message", choice.values["message"]))
    elif choice.has("text"):
        text = choice.text("text")
    else:
        text = content_text(choice)
    return Candidate(id=str(number), text=text, system=choice.name("model") or fields.name("model"))


def convert_log(fields: Fields) -> Draft:
    """One exchange: `request` with the messages, `response` with the choices, as proxies log them."""
    request, response = fields.inner("request"), fields.inner("response")
    outer = {
        name: fields.values[name] for name in ("id", "request_id", "reference") if fields.has(name)
    }
    response = response.inner("body") if response.has("body") else response
    request = request.inner("body") if request.has("body") else request
    kept = {name: response.values.get(name) for name in ("choices", "model")}
    joined = {"id": response.values.get("id")} | outer | kept
    joined["messages"] = request.values.get("messages")
    return convert(Fields(joined, fields.place))


def convert_chat(fields: Fields) -> Draft:
    """A conversation in `messages` (or ShareGPT's `conversations`) whose last message is the answer."""
    name = fields.first("messages", "conversations", "conversation") or "messages"
    said = turns(fields, name, message_list(fields.values.get(name)) or fields.items(name))
    if said[-1].role != ASSISTANT:
        fields.set_aside(Aside.NO_ANSWER, name, "does not end with an assistant's answer")
    start = len(said)
    while start and said[start - 1].role == ASSISTANT:
        start -= 1
    if not start:
        fields.set_aside(Aside.NO_PROMPT, name, "holds no question")
    answer = Candidate(id="1", text=transcript_of_reply(said[start:]), system=fields.name("model"))
    return _draft(fields, "chat", said[:start], (answer,))


def convert_preference(fields: Fields) -> Draft:
    """OpenAI's preference fine-tuning rows: `input`, `preferred_output`, `non_preferred_output`."""
    value = fields.values.get("input")
    if isinstance(value, dict):
        said = turns(fields, "input.messages", fields.inner("input").items("messages"))
    elif (messages := message_list(value)) is not None:
        said = turns(fields, "input", messages)
    else:
        said = [Turn(role="user", text=fields.text("input"))]
    answers = [_output(fields, name) for name in ("preferred_output", "non_preferred_output")]
    return preference(fields, "openai-preference", transcript(said), *answers)


def _output(fields: Fields, name: str) -> str:
    messages = message_list(fields.values.get(name))
    if messages is None:
        return fields.text(name)
    said = turns(fields, name, messages)
    if not all(turn.role == ASSISTANT for turn in said):
        fields.set_aside(Aside.USER_IN_ANSWER, name, "holds messages that are not the assistant's")
    return transcript_of_reply(said)


class Batch:
    """Batch input and output, joined by `custom_id`. Two outputs of one request make a pair."""

    def __init__(self) -> None:
        self._asked: dict[str, str] = {}
        self._twice: set[str] = set()
        self._replies: dict[str, list[Fields]] = {}

    def add(self, part: str, fields: Fields) -> None:
        name = fields.identity("custom_id")
        if name is None:
            fields.reject("custom_id", "is missing, and batches are joined by it")
        if part == BATCH_OUTPUT.name:
            self._replies.setdefault(name, []).append(fields)
            return
        body = fields.inner("body")
        question = transcript(turns(fields, "body.messages", body.items("messages")))
        if self._asked.setdefault(name, question) != question:
            self._twice.add(name)

    def outcomes(self) -> Iterator[Found]:
        for name, replies in self._replies.items():
            yield from self._outcome(name, replies)

    def _outcome(self, name: str, replies: list[Fields]) -> Iterator[Found]:
        if name not in self._asked or name in self._twice:
            many = name in self._twice
            problem = f"{name!r} identifies two requests" if many else "has no input row"
            reason = Aside.AMBIGUOUS_ID if many else Aside.NO_QUESTION
            for fields in replies:
                yield SetAside(f"{fields.place}: field custom_id: {problem}", reason)
            return
        drafts: list[Draft] = []
        for fields in replies:
            try:
                drafts.append(self._draft(name, fields))
            except InvalidRecord as exc:
                yield exc
        single = [draft for draft in drafts if len(draft.candidates) == 1]
        yield from (draft for draft in drafts if len(draft.candidates) == 2)
        if len(single) == 1:
            yield single[0]
        for first, second in combinations(single, 2):
            texts = [one.candidates[0].text for one in (first, second)]
            systems = [one.candidates[0].system for one in (first, second)]
            joined = dataset_name("batch", name, replies[0], first.question, *texts)
            yield replace(
                first,
                name=joined,
                place=replies[0].place,
                candidates=pair_of(texts, systems),
                mode="pairwise",
            )

    def _draft(self, name: str, fields: Fields) -> Draft:
        if not fields.has("response"):
            fields.set_aside(Aside.NO_ANSWER, "response", "is missing: the call failed")
        response = fields.inner("response")
        if response.has("status_code") and response.number("status_code") != 200:
            response.set_aside(Aside.NO_ANSWER, "status_code", "is not 200: the call failed")
        body = response.inner("body")
        row: dict[str, object] = {
            "custom_id": name,
            "messages": [{"role": "user", "content": self._asked[name]}],
        }
        row |= {key: body.values.get(key) for key in ("choices", "model")}
        return convert(Fields(row, fields.place))


def _single_choice(values: Mapping[str, object]) -> bool:
    return not any(name in values for name in REPLIES)


def _batch_body(values: Mapping[str, object]) -> bool:
    body = values.get("body")
    return isinstance(body, dict) and "messages" in body


def _log(values: Mapping[str, object]) -> bool:
    return isinstance(values["request"], dict) and isinstance(values["response"], dict)


def no_question(fields: Fields) -> Found:
    """A stored completion without the messages that it answers."""
    fields.set_aside(
        Aside.NO_QUESTION, "messages", "is missing: export the completions with their messages"
    )


OPENAI = RequestFormat(
    name="openai",
    summary="chat completions with their messages: two replies (or one, with a `reference`) in `choices`,"
    " `candidates` or `completions`; a refusal and a tool call are answers",
    needs=(("messages",), REPLIES),
    convert=convert,
)
OPENAI_LOG = RequestFormat(
    name="openai-log",
    summary="exchanges as proxies log them: a `request` with messages and its `response` with choices",
    needs=(("request",), ("response",)),
    convert=convert_log,
    when=_log,
)
OPENAI_PREFERENCE = RequestFormat(
    name="openai-preference",
    summary="OpenAI's preference rows: input, preferred_output (the label says that it wins),"
    " non_preferred_output",
    needs=(("preferred_output",), ("non_preferred_output",)),
    convert=convert_preference,
)
BATCH_INPUT = RequestFormat(
    name="openai-batch-input",
    summary="batch input, joined with its output by custom_id",
    needs=(("custom_id",), ("body",)),
    join=Batch,
    when=_batch_body,
)
BATCH_OUTPUT = RequestFormat(
    name="openai-batch-output",
    summary="batch output, joined with its input by custom_id; outputs of two models make pairs",
    needs=(("custom_id",), ("response",)),
    join=Batch,
)
STORED = RequestFormat(
    name="openai-stored",
    summary="chat completions without their messages: set aside",
    needs=(("object",), ("choices",)),
    convert=no_question,
)
CHAT = RequestFormat(
    name="chat",
    summary="conversations (messages, or ShareGPT's conversations) that end with one answer",
    needs=(("messages", "conversations", "conversation"),),
    convert=convert_chat,
    when=_single_choice,
)
