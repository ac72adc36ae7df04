"""Texts of the family of reward models: a conversation whose last message is the answer to be valued.

The prompt is a JSON document, so that no text in it can end its message. The checkpoint's own chat template
turns it into tokens (`engine.conversation_tokens`).
"""

import json
from collections.abc import Sequence

from judgestream.core.templates.base import Grammar, Layout

REFERENCE = "\n\nA correct answer, for comparison:\n"
USER, ASSISTANT = "user", "assistant"
ROLES = ("system", USER, ASSISTANT)

VALUE = Grammar(labels=(), count=1, reward=True)


def layout(question: str, answers: Sequence[str], reference: str | None) -> Layout:
    """The prompt of one answer. The reference, if there is one, follows the question."""
    (answer,) = answers
    asked = question if reference is None else f"{question}{REFERENCE}{reference}"
    before = f'[{{"role":"{USER}","content":{_json(asked)}}},{{"role":"{ASSISTANT}","content":"'
    shown = _json(answer)[1:-1]
    end = len(before) + len(shown)
    return Layout(text=f'{before}{shown}"}}]', slots=((len(before), end),))


def conversation(prompt: str) -> list[tuple[str, str]]:
    """Role and text of each message of a prompt; the last one is the assistant's.

    Raises:
        ValueError: the prompt is not such a document.
    """
    try:
        document = json.loads(prompt)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"the prompt of a reward model is not JSON: {error}") from None
    entries = document if isinstance(document, list) else []
    messages = [
        (entry["role"], entry["content"])
        for entry in entries
        if isinstance(entry, dict)
        and entry.keys() == {"role", "content"}
        and entry["role"] in ROLES
        and isinstance(entry["content"], str)
    ]
    if not messages or len(messages) != len(entries) or messages[-1][0] != ASSISTANT:
        raise ValueError(
            "the prompt of a reward model must be a JSON list of messages with role"
            f" ({', '.join(ROLES)}) and content, the assistant's last"
        )
    for _, text in messages:
        _check_unicode(text)
    return messages


def _check_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("the prompt of a reward model has half a surrogate pair") from None


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
