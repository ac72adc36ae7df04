"""Chat messages as the text that a judge is shown, and two conversations as one question with two answers."""

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from judgestream.core.conversation import ASSISTANT, SYSTEM, TOOL, USER, Turn
from judgestream.core.formats.fields import Fields, listed
from judgestream.core.formats.reasons import Aside

_ROLES: Mapping[str, str] = MappingProxyType(
    {
        "human": USER,
        "prompter": USER,
        "gpt": ASSISTANT,
        "chatgpt": ASSISTANT,
        "model": ASSISTANT,
        "bot": ASSISTANT,
        "developer": SYSTEM,
        "function": TOOL,
        "observation": TOOL,
    }
)
_TEXT_PARTS = ("text", "input_text", "output_text")
_DIALOGUE = re.compile(r"(?:\A\s*|\n\n)(Human|Assistant):")


def message_list(value: object) -> list[object] | None:
    """The messages that a field holds: a list of objects, one object, or a JSON text of such a list, as a
    CSV cell has it. None when it is anything else."""
    if isinstance(value, dict):
        return [value]
    found = listed(value)
    if not isinstance(found, list):
        return None
    if isinstance(value, str) and not all(
        isinstance(one, dict) and ("role" in one or "from" in one) for one in found
    ):
        return None
    return found


def turns(fields: Fields, name: str, messages: Sequence[object]) -> list[Turn]:
    """Messages `{role, content}`, or ShareGPT's `{from, value}`, read.

    Raises:
        InvalidRecord: no messages, or one that is none.
        SetAside: one holds something other than text.
    """
    if not messages:
        fields.reject(name, "holds no messages")
    return [_turn(fields, f"{name}[{k}]", message) for k, message in enumerate(messages)]


def _turn(fields: Fields, name: str, value: object) -> Turn:
    message = fields.nested(name, value)
    if message.has("from") and not message.has("role"):
        role = message.text("from").lower()
        return Turn(role=_ROLES.get(role, role), text=message.text("value"))
    role = message.text("role").lower()
    role = _ROLES.get(role, role)
    return Turn(role=role, text=content_text(message, role))


def content_text(message: Fields, role: str = ASSISTANT) -> str:
    """A message's text: its `content` (text, or a list of parts that are all text), and its tool calls.

    An assistant's content may be null: a refusal is then its text. A tool call is written
    `Tool call: name({...})`.

    Raises:
        InvalidRecord: the content is missing or of another type.
        SetAside: a part is not text, or an assistant's reply holds nothing at all.
    """
    texts = []
    content = message.values.get("content")
    if isinstance(content, list):
        texts.append("".join(_part(message, k, part) for k, part in enumerate(content)))
    elif message.has("content"):
        texts.append(message.text("content"))
    elif message.filled("refusal"):
        texts.append(message.text("refusal"))
    texts += _calls(message)
    if not texts:
        if role == ASSISTANT and ("content" in message.values or "refusal" in message.values):
            message.set_aside(Aside.NO_ANSWER, "content", "is null, and there is no refusal either")
        message.reject("content", "is missing")
    return "\n\n".join(text for text in texts if text) if len(texts) > 1 else texts[0]


def _part(message: Fields, k: int, value: object) -> str:
    if isinstance(value, str):
        return Fields({"part": value}, message.place).text("part")
    part = message.nested(f"content[{k}]", value)
    form = part.text("type")
    if form == "refusal":
        return part.text("refusal")
    if form not in _TEXT_PARTS:
        part.set_aside(Aside.NOT_TEXT, "type", f"is {form[:40]!r}; only text parts can be judged")
    return part.text("text")


def _calls(message: Fields) -> list[str]:
    calls = [message.values["function_call"]] if message.has("function_call") else []
    if message.has("tool_calls"):
        calls += message.items("tool_calls")
    found = []
    for k, value in enumerate(calls):
        call = message.nested(f"tool_calls[{k}]", value)
        if isinstance(call.values.get("function"), dict):
            call = call.inner("function")
        arguments = call.values.get("arguments")
        text = arguments if isinstance(arguments, str) else json.dumps(arguments)
        found.append(f"Tool call: {call.text('name')}({Fields({'a': text}, call.place).text('a')})")
    return found


def transcript(said: Sequence[Turn]) -> str:
    """One text. One message alone is its content; several become paragraphs, each headed by its role:
    "User:\\nHello\\n\\nAssistant:\\nHi"."""
    if len(said) == 1:
        return said[0].text
    return "\n\n".join(f"{turn.role.capitalize()}:\n{turn.text}" for turn in said)


def dialogue(text: str) -> list[Turn] | None:
    """The turns of a text in hh-rlhf's form, "\\n\\nHuman: ...\\n\\nAssistant: ..."; None when it is none."""
    if "Human:" not in text:
        return None
    parts = _DIALOGUE.split(text)
    if len(parts) < 3 or parts[0].strip():
        return None
    roles = {"Human": USER, "Assistant": ASSISTANT}
    return [
        Turn(role=roles[role], text=said.strip())
        for role, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


def numbered(texts: Sequence[str]) -> str:
    """Several turns of a conversation as one text; a single turn is its own text."""
    if len(texts) == 1:
        return texts[0]
    return "\n\n".join(f"Turn {k}:\n{text}" for k, text in enumerate(texts, start=1))


def compared(
    fields: Fields, name: str, first: Sequence[Turn], second: Sequence[Turn], opening: int = 0
) -> tuple[str, str, str]:
    """Two conversations that begin alike, as the question and the two answers.

    The question is what both begin with, up to the last message that is not an assistant's; the answers
    are what follows. Where the user continues with the same messages in both, question and answers are
    numbered by turn.

    Args:
        opening: number of messages that are known to belong to the question.

    Raises:
        SetAside: nothing in common, an answer is missing, or the user continues differently.
    """
    shared = opening
    while shared < min(len(first), len(second)) and first[shared] == second[shared]:
        shared += 1
    while shared > opening and first[shared - 1].role == ASSISTANT:
        shared -= 1
    if not any(turn.role in (USER, TOOL) for turn in first[:shared]) and not opening:
        fields.set_aside(
            Aside.NO_PROMPT, name, "the two conversations do not begin with a question"
        )
    question, answers = first[:shared], (first[shared:], second[shared:])
    users = [[turn.text for turn in rest if turn.role == USER] for rest in answers]
    if users[0] != users[1]:
        problem = "the user continues differently in the two conversations"
        fields.set_aside(Aside.USER_IN_ANSWER, name, problem)
    replies = [_replies(rest) for rest in answers]
    if not all(all(one) for one in replies):
        fields.set_aside(
            Aside.NO_ANSWER, name, "a conversation ends before the assistant has answered"
        )
    asked = numbered([transcript(question), *users[0]])
    said = [numbered([transcript_of_reply(reply) for reply in one]) for one in replies]
    return asked, said[0], said[1]


def transcript_of_reply(reply: Sequence[Turn]) -> str:
    """The assistant's turns between two messages of the user."""
    if all(turn.role == ASSISTANT for turn in reply):
        return "\n\n".join(turn.text for turn in reply)
    return transcript(reply)


def _replies(rest: Sequence[Turn]) -> list[list[Turn]]:
    """The messages between those of the user."""
    found: list[list[Turn]] = [[]]
    for turn in rest:
        if turn.role == USER:
            found.append([])
        else:
            found[-1].append(turn)
    return found
