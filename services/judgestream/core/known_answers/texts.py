"""Parts of an answer's text: words, sentences, list items, and the text without Markdown."""

import re

_WORD = re.compile(r"\w+")
_END = re.compile(r"(?<=[.!?])\s+(?=[\"'(]?[A-Z0-9])")
_ITEM = re.compile(r"^[ \t]*(?:\d{1,3}[.)]|[-*+])[ \t]+(\S.*)$", re.MULTILINE)
_MARKUP = re.compile(r"^[ \t]*(?:#{1,6}|[-*+]|\d{1,3}[.)])[ \t]+|\*\*|__|`", re.MULTILINE)
_LATIN = re.compile(r"[A-Za-z]")


def words(text: str) -> list[str]:
    """The words of a text, in order, without regard to letter case and punctuation."""
    return _WORD.findall(text.casefold())


def sentences(text: str) -> list[str]:
    """The sentences of a text, by full stops before capital letters; also split at line breaks."""
    return [part.strip() for line in text.splitlines() for part in _END.split(line) if part.strip()]


def list_items(text: str) -> list[str]:
    """The texts of the items of numbered and bulleted lists."""
    return [match[1].strip() for match in _ITEM.finditer(text)]


def without_markup(text: str) -> str:
    """The text without Markdown's headings, list marks, bold and code marks."""
    return _MARKUP.sub("", text)


def is_structured(text: str) -> bool:
    """Whether the text has code, a table or a formula, which a change of layout would break."""
    return any(mark in text for mark in ("```", "    ", "\t", "|", "$", "\\"))


def is_latin(text: str) -> bool:
    """Whether most letters are Latin, so that an English sentence does not stand out."""
    letters = sum(char.isalpha() for char in text)
    return letters > 0 and 2 * len(_LATIN.findall(text)) > letters
