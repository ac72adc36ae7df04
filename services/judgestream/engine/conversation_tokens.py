"""Token ids of a conversation in a checkpoint's own chat template. Training and serving share this module.

Only the template writes control tokens. The text of a message is tokenised as text, so that an answer that
contains `<|im_end|>` cannot end its own turn.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from jinja2 import TemplateError

from judgestream.core.errors import ConfigurationError
from judgestream.engine.tokens import Tokens

_SLOT = "\ue000judgestream{}\ue001"


class Message(NamedTuple):
    """One message of a conversation: `role` is system, user or assistant."""

    role: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConversationTokens:
    """The encoder of one checkpoint's conversations.

    Without a chat template the messages are joined by blank lines.
    """

    tokens: Tokens
    _frames: dict[tuple[str, ...], tuple[tuple[int, ...], ...]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def ids(self, messages: Sequence[Message]) -> list[int]:
        """The ids of the whole conversation. White space around a message's text is dropped.

        Raises:
            ConfigurationError: the chat template refuses this sequence of roles, or drops a message.
        """
        if not self.tokens.tokenizer.chat_template:
            return self.tokens.prompt("\n\n".join(message.text.strip() for message in messages))
        frame = self._frame(tuple(message.role for message in messages))
        ids = list(frame[0])
        for message, after in zip(messages, frame[1:], strict=True):
            ids += self.tokens.inside(message.text.strip())
            ids += after
        return ids

    def _frame(self, roles: tuple[str, ...]) -> tuple[tuple[int, ...], ...]:
        """The ids that the template writes before, between and after the messages."""
        if roles not in self._frames:
            pieces = _pieces(self.tokens.tokenizer, roles)
            self._frames[roles] = tuple(tuple(self.tokens.markup(piece)) for piece in pieces)
        return self._frames[roles]


def _pieces(tokenizer: Any, roles: Sequence[str]) -> list[str]:
    slots = [_SLOT.format(k) for k in range(len(roles))]
    messages = [{"role": role, "content": slot} for role, slot in zip(roles, slots, strict=True)]
    try:
        text: str = tokenizer.apply_chat_template(messages, tokenize=False)
    except (TemplateError, ValueError) as error:
        raise ConfigurationError(
            f"the checkpoint's chat template refuses messages of the roles {', '.join(roles)}: {error}"
        ) from error
    pieces = []
    for slot in slots:
        before, found, text = text.partition(slot)
        if not found:
            raise ConfigurationError(
                f"the checkpoint's chat template drops or reorders messages of the roles"
                f" {', '.join(roles)}: use a checkpoint whose template shows every message once, in order"
            )
        pieces.append(before)
    return [*pieces, text]
