"""The control tokens of a checkpoint's tokenizer, from its files alone."""

import re
from pathlib import Path

from judgestream.checkpoints.files import read_json

SENTENCEPIECE = ("<s>", "</s>", "<unk>")
"""Of every `tokenizer.model` of the LLaMA family."""

LONGEST = 64
"""A longer added token is a piece of a prompt, not a control token."""

_MARKUP = re.compile(r"[<\[{].+[>\]}]")
_MAX_JSON_BYTES = 64 << 20


def control_tokens(folder: Path) -> tuple[str, ...]:
    """Texts that a server which parses special tokens turns into control tokens.

    They are those that are flagged as special, and those that look like markup, such as `<think>`.
    """
    if not (folder / "tokenizer.json").exists():
        return SENTENCEPIECE
    found: dict[str, None] = {}
    added = read_json(folder, "tokenizer.json", max_bytes=_MAX_JSON_BYTES).get("added_tokens")
    for token in added if isinstance(added, list) else []:
        content = token.get("content") if isinstance(token, dict) else None
        if not isinstance(content, str) or not content.strip() or len(content) > LONGEST:
            continue
        if token.get("special") or _MARKUP.fullmatch(content.strip()):
            found[content.strip()] = None
    return tuple(found)
