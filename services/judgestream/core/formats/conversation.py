"""Chat messages as the text that a judge is shown."""

from collections.abc import Sequence

from judgestream.core.formats.fields import Fields


def transcript(fields: Fields, name: str, messages: Sequence[object]) -> str:
    """Messages `{role, content}` as one text.

    One message alone is its content. Several become paragraphs, each headed by its role, in order:
    "User:\\nHello\\n\\nAssistant:\\nHi". Content may be text or a list of text parts.

    Raises:
        InvalidRecord: no messages, or one with something other than text.
    """
    if not messages:
        fields.reject(name, "holds no messages")
    turns = [_turn(fields, f"{name}[{k}]", message) for k, message in enumerate(messages)]
    if len(turns) == 1:
        return turns[0][1]
    return "\n\n".join(f"{role.capitalize()}:\n{content}" for role, content in turns)


def _turn(fields: Fields, name: str, value: object) -> tuple[str, str]:
    message = fields.nested(name, value)
    return message.text("role"), content_text(message)


def content_text(message: Fields) -> str:
    """A message's `content`: text, or a list of parts that are all text."""
    content = message.values.get("content")
    if not isinstance(content, list):
        return message.text("content")
    texts = []
    for k, value in enumerate(content):
        part = message.nested(f"content[{k}]", value)
        if part.text("type") not in ("text", "input_text", "output_text"):
            part.reject("type", f"is {part.text('type')!r}; only text parts can be judged")
        texts.append(part.text("text"))
    return "".join(texts)
