"""Options of requests that differ between providers and models.

`release endpoint` finds them out once (see `probing`) and writes them into the release as JSON.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any, Self

from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import quoted

OPENAI, ANTHROPIC = "openai", "anthropic"
PROTOCOLS = (OPENAI, ANTHROPIC)

_HEADER = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
_NO_HEADERS = frozenset(
    {
        *("authorization", "proxy-authorization", "x-api-key", "api-key", "cookie"),
        *("host", "content-length", "content-type", "transfer-encoding", "connection"),
        "accept-encoding",
    }
)


class Choice(StrEnum):
    """What differs between endpoints, and is tried unless the user has chosen it."""

    LIMIT = "limit"
    TEMPERATURE = "temperature"
    LOGPROBS = "logprobs"
    SYSTEM = "system"
    THINKING = "thinking"


class SystemText(StrEnum):
    """Where the instructions of a template go.

    SYSTEM      the system message; in Anthropic's API the field `system`
    DEVELOPER   a message with OpenAI's role developer
    USER        before the user's text in one user message, for models without a system message
    """

    SYSTEM = "system"
    DEVELOPER = "developer"
    USER = "user"


class Thinking(StrEnum):
    """How thinking is asked for in Anthropic's API, where the release has tokens for it.

    ENABLED    with a budget of tokens
    ADAPTIVE   as much as the model wants; later models accept only this
    """

    ENABLED = "enabled"
    ADAPTIVE = "adaptive"


@dataclass(frozen=True, kw_only=True, slots=True)
class RequestOptions:
    """The options.

    protocol          `openai`: POST chat/completions, `anthropic`: POST messages
    limit             name of the option that limits the reply (OpenAI)
    temperature       whether to send one; some models have a fixed temperature and refuse it
    reasoning_effort  OpenAI's `reasoning_effort`, Anthropic's `output_config.effort`; "" to leave it out
    headers           sent with every request. Never a key: these are written into the release
    key_header        the header that carries the key; "" for the protocol's own

    Raises:
        ConfigurationError: a value is unknown, or a header is malformed or could carry a key.
    """

    protocol: str = OPENAI
    limit: str = "max_tokens"
    temperature: bool = True
    reasoning_effort: str = ""
    system: SystemText = SystemText.SYSTEM
    thinking: Thinking = Thinking.ENABLED
    headers: Mapping[str, str] = field(default_factory=dict)
    key_header: str = ""

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise ConfigurationError(
                f"unknown protocol {quoted(self.protocol)}: use {' or '.join(PROTOCOLS)}"
            )
        if self.limit not in ("max_tokens", "max_completion_tokens"):
            raise ConfigurationError(
                f"unknown limit {quoted(self.limit)}: use max_tokens or max_completion_tokens"
            )
        if not re.fullmatch(r"[a-z_]{0,32}", self.reasoning_effort):
            raise ConfigurationError(
                f"invalid reasoning effort {quoted(self.reasoning_effort)}: use a word such as low"
            )
        if self.key_header and not _HEADER.fullmatch(self.key_header):
            raise ConfigurationError(f"invalid header name {quoted(self.key_header)}")
        for name, value in self.headers.items():
            _check_header(name, value)

    def as_json(self) -> str:
        """The options that differ from the defaults."""
        return json.dumps(self.changed(), sort_keys=True)

    def changed(self) -> dict[str, Any]:
        default = type(self)()
        return {
            name: value for name, value in asdict(self).items() if value != getattr(default, name)
        }

    def of_answers(self) -> dict[str, Any]:
        """Those of `changed` that may change answers, and so belong to the release's identity."""
        return {
            name: value
            for name, value in self.changed().items()
            if name not in ("limit", "key_header")
        }

    @classmethod
    def of_json(cls, text: str) -> Self:
        """The options that a release states.

        Raises:
            ConfigurationError: not what `as_json` writes.
        """
        try:
            values = json.loads(text or "{}")
            unknown = sorted(set(values) - {one.name for one in fields(cls)})
            if unknown:
                raise ValueError(f"unknown options {', '.join(unknown)}")
            if "system" in values:
                values["system"] = SystemText(values["system"])
            if "thinking" in values:
                values["thinking"] = Thinking(values["thinking"])
            return cls(**values)
        except (TypeError, ValueError, AttributeError, RecursionError) as error:
            raise ConfigurationError(
                f"request options of the release are invalid ({error}): install it again with"
                " `judgestream release endpoint`"
            ) from error


def _check_header(name: object, value: object) -> None:
    if not isinstance(name, str) or not isinstance(value, str) or not _HEADER.fullmatch(name):
        raise ConfigurationError(f"invalid header {quoted(str(name))}: give NAME=VALUE")
    if name.lower() in _NO_HEADERS:
        raise ConfigurationError(
            f"header {name} cannot be set: keys come from --key-variable, in the header that --key-header"
            " names"
        )
    if not (value.isascii() and value.isprintable()):
        raise ConfigurationError(f"header {name} has characters other than printable ASCII")
