"""Parser of the score line of a judge's reply.

A line is parsed only if every part of it is a score, the name of an answer, or punctuation: numbers in prose
(`On a scale of 1 to 10 both are fine`) are not scores. An unparsed line makes an unscored verdict, which is
counted; a misparsed one would make a wrong verdict.
"""

import re
from functools import cache

LOWEST, HIGHEST = 0.0, 10.0

_PLAIN = re.compile(r"[0-9.+, ]+")
_TO_ASCII = str.maketrans(
    {
        "\u2212": "-",  # the minus sign
        "\u2013": "-",
        "\u2014": "-",
        "\u2019": "'",
        "\uff1a": ":",
        "\uff0c": ",",
        "\u3001": ",",
        "\uff1b": ";",
        "\uff0f": "/",
        "\uff08": "(",
        "\uff09": ")",
        "*": " ",  # Markdown's bold and code
        "_": " ",
        "`": " ",
    }
)
_END = r"(?![\w%]|\.\d)"
_SCALE = re.compile(
    rf"(?<=\d)\s*(?:/|(?:out\s+)?of)\s*10(?:\.0)?(?!/){_END}"
    rf"|\(\s*(?:both\s+)?(?:out\s+)?of\s+10\s*\)|\b(?:both\s+)?out\s+of\s+10(?!/){_END}",
    re.IGNORECASE,
)
_PARTS = re.compile(
    rf"""
      (?P<name><\w\w?>)
    | (?P<number>(?<![\w.])-?\d+(?:\.\d+)?{_END})
    | \b(?:(?:assistant|answer|response|model|candidate|score|rating|point)s?|overall|final|total|and|for)\b
    | [\s,;:=|.()\[\]{{}}"'#&~-]
    """,
    re.IGNORECASE | re.VERBOSE,
)


def scores_of(line: str, count: int) -> tuple[float, ...] | None:
    """The line's `count` scores of 0 to 10, in the order of the answers; None for any other line.

    The strict form (`8 7`, also `8 7.`) is tried first, then `8/10, 7 out of 10`, `**8** **7**` and named
    scores: `Assistant 2: 8, Assistant #1: 7` is (7, 8), because a name refers to one answer. Either every
    score has a distinct name, 1 to `count` (or A, B, ...), or none has one.
    """
    scores = _strict(line.strip(), count)
    if scores is None:
        scores = _tolerant(line, count)
    if scores is None or not all(LOWEST <= score <= HIGHEST for score in scores):
        return None
    return scores


def _strict(line: str, count: int) -> tuple[float, ...] | None:
    """Plain decimal numbers, split as JudgeLM's own parser splits them (`parsing.parse_strict`)."""
    parts = line.replace(",", " ").split(" ")
    if len(parts) != count or not _PLAIN.fullmatch(line):
        return None
    try:
        return tuple(float(part) for part in parts)
    except ValueError:
        return None


def _tolerant(line: str, count: int) -> tuple[float, ...] | None:
    parts = _parts(line, count)
    if parts is None:
        return None
    scores = [part for part in parts if isinstance(part, float)]
    names = [part for part in parts if isinstance(part, str)]
    if len(scores) != count:
        return None
    if not names or count == 1:
        return tuple(scores) if len(names) <= 1 else None
    # `Assistant 1: 8, Assistant 2: 7`, `8 (Assistant 1), 7 (Assistant 2)`, `Assistants 1 and 2: 8 7`
    kinds = "".join("s" if isinstance(part, float) else "n" for part in parts)
    if kinds not in ("ns" * count, "sn" * count, "n" * count + "s" * count):
        return None
    by_name = dict(zip(names, scores, strict=True))
    for wanted in (_numbers(count), _letters(count)):
        if by_name.keys() == set(wanted):
            return tuple(by_name[name] for name in wanted)
    return None


def _parts(line: str, count: int) -> list[str | float] | None:
    """Names (their digit or letter, lower case) and scores in order; None if the line has any other part."""
    text = line.translate(_TO_ASCII)
    if "<" in text or len(text) > max(_LONGEST, _LONGEST_NAMED * count):
        return None
    for pattern, mark in _names(count):
        text = pattern.sub(mark, text)
    text = _SCALE.sub(" ", text)
    parts: list[str | float] = []
    position = 0
    while position < len(text):
        match = _PARTS.match(text, position)
        if match is None:
            return None
        position = match.end()
        if match["name"]:
            parts.append(match["name"][1:-1].lower())
        elif match["number"]:
            parts.append(float(match["number"]))
    return parts


_LONGEST = 400
"""Length limit of a score line, in characters. A longer line is prose."""

_LONGEST_NAMED = 40
"""The same for each score: `Assistant 16's score: 7 out of 10, `."""


@cache
def _names(count: int) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Patterns of the names of `count` answers, each with its substitute, such as `<1>`.

    A line with a single score may say `Score 1`, so `score` and `rating` are not names there.
    """
    nouns = "assistant|answer|response|model|candidate" + ("|score|rating" if count > 1 else "")
    many = max(count, 2)
    numbers = "|".join(reversed(_numbers(many)))  # 12 before 1
    index = rf"({numbers}|[{_letters(many)}])(?![\w%]|\.\d)"
    of = r"(?:score|rating|answer|response)"
    listed = (
        rf"\b(?:{nouns})s?\s*{index}\s*(?:and|&|,|/)\s*{index}(?=(?:\s*'s)?\s*(?:{of}s?\s*)?[:=])"
    )
    single = rf"\b(?:{nouns})\s*(?:\#|no\.?|number)?\s*{index}(?:\s*'s)?(?:\s+{of}\b(?!\s*\w\w?\s*[:=]))?"
    return (
        (re.compile(listed, re.IGNORECASE), r" <\1> <\2> "),
        (re.compile(single, re.IGNORECASE), r" <\1> "),
    )


def _numbers(count: int) -> tuple[str, ...]:
    return tuple(str(k) for k in range(1, count + 1))


def _letters(count: int) -> str:
    return "".join(chr(ord("a") + k) for k in range(min(count, 26)))
