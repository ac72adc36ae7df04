"""Control tokens of tokenizers, as far as their texts show them."""

import re
from collections.abc import Iterable

_CONTROL = re.compile(
    r"<\|[^<>|\s]{1,64}\|>"  # <|im_start|>, <|eot_id|>
    r"|<\uff5c[^<>\uff5c]{1,64}\uff5c>"  # DeepSeek's, with full-width bars
    r"|</?(?:s|bos|eos|pad|unk|mask|think|tool_call|start_of_turn|end_of_turn|image|audio)>"
    r"|<<?/?SYS>?>|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS|THINK|IMG)\]"
)


def control_texts(texts: Iterable[str]) -> tuple[str, ...]:
    """The control tokens that these texts write, each once, in order."""
    found: dict[str, None] = {}
    for text in texts:
        found |= dict.fromkeys(match[0] for match in _CONTROL.finditer(text))
    return tuple(found)
