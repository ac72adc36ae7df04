"""Families of models, derived from the names of systems and releases, to measure self-preference."""

import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "gpt": ("gpt", "chatgpt", "davinci", "o1", "o3", "o4"),
        "claude": ("claude",),
        "gemini": ("gemini", "bard", "palm"),
        "gemma": ("gemma",),
        "llama": ("llama", "codellama", "vicuna", "alpaca", "koala", "guanaco", "wizardlm", "tulu"),
        "mistral": ("mistral", "mixtral", "ministral", "magistral", "zephyr"),
        "qwen": ("qwen", "qwq"),
        "deepseek": ("deepseek",),
        "phi": ("phi",),
        "command": ("command", "aya"),
        "grok": ("grok",),
        "falcon": ("falcon",),
        "yi": ("yi",),
        "glm": ("glm", "chatglm"),
        "smollm": ("smollm",),
    }
)
"""Family -> how the parts of its members' names begin. Fine-tuned models belong to their base's family."""

_PARTS = re.compile(r"[a-z]+\d*")


def family_of(name: str, own: Mapping[str, Sequence[str]] | None = None) -> str:
    """The family of a system by its name; "" for a name without letters.

    The name is split into parts of letters with the digits behind them (`meta-llama/Llama-3-8B` into `meta`,
    `llama`, `llama`, `b`). The first part that is a beginning from the table, or one followed by digits or
    letters (`gpt4o`, `llama2`), decides; of several beginnings the longest. A name that the table does not
    know is a family by its first part after the last slash.

    Args:
        own: further families, or other beginnings of known ones; they go before the table's.
    """
    table = {
        start.lower(): family
        for families in (FAMILIES, own or {})
        for family, starts in families.items()
        for start in starts
    }
    parts = _PARTS.findall(name.lower())
    for part in parts:
        fitting = [start for start in table if _begins(part, start)]
        if fitting:
            return table[max(fitting, key=len)]
    last = _PARTS.findall(name.rpartition("/")[2].lower())
    return last[0].rstrip("0123456789") if last else ""


def _begins(part: str, start: str) -> bool:
    """Beginnings of three letters and less must be the whole part, but for digits: `yi` is not `yield`."""
    if part == start or part.rstrip("0123456789") == start:
        return True
    return len(start) > 3 and part.startswith(start)
