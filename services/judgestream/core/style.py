"""The style of an answer: counts that length and format bias are measured with.

The counts are those of Arena's style control: words, Markdown headers, list items and bold spans.
"""

import re

from judgestream.core.types import Candidate, Style

_HEADER = re.compile(r"^ {0,3}#{1,6} ", re.MULTILINE)
_LIST_ITEM = re.compile(r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]", re.MULTILINE)
_BOLD = re.compile(r"\*\*(?!\s)[^*\n]+\*\*|__(?!\s)[^_\n]+__")
_FENCE = re.compile(r"^ {0,3}(```|~~~).*?(?:^ {0,3}\1|\Z)", re.MULTILINE | re.DOTALL)


def style_of(candidate: Candidate) -> Style:
    """The style of an answer; of a conversation, of what the assistant says. Code counts as words only."""
    said = "\n".join(turn.text for turn in candidate.turns if turn.role == "assistant")
    text = said if candidate.turns else candidate.text
    prose = _FENCE.sub("", text) if "```" in text or "~~~" in text else text
    return Style(
        words=len(text.split()),
        headers=len(_HEADER.findall(prose)) if "#" in prose else 0,
        list_items=len(_LIST_ITEM.findall(prose)),
        bold=len(_BOLD.findall(prose)) if "**" in prose or "__" in prose else 0,
    )
