"""One planted factual error: exactly one number or name of the answer becomes another one."""

import random
import re
from collections import Counter

from judgestream.core.known_answers.base import Effect, KnownAnswer, Pairing

KINDS: tuple[tuple[str, ...], ...] = (
    ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    ("January", "February", "March", "April", "June", "July", "August"),
    ("September", "October", "November", "December"),
    ("Mercury", "Venus", "Mars", "Jupiter", "Saturn", "Uranus", "Neptune"),
    ("France", "Germany", "Italy", "Spain", "Portugal", "Poland", "Austria", "Sweden", "Norway"),
    ("China", "Japan", "India", "Brazil", "Canada", "Mexico", "Egypt", "Kenya", "Australia"),
    ("Paris", "London", "Berlin", "Madrid", "Rome", "Vienna", "Tokyo", "Beijing", "Cairo"),
    ("Africa", "Asia", "Europe"),
    ("hydrogen", "helium", "carbon", "nitrogen", "oxygen", "sodium", "iron", "copper", "gold"),
    ("north", "south", "east", "west"),
)
"""Names by kind: one is replaced by another of its kind."""

_KIND = {name: kind for kind in KINDS for name in kind}
# two digits and more; not part of a word, an address, a version, a fraction, a formula or a mark such as [12]
_NUMBER = re.compile(
    r"(?<![\w.,:/^+*=$\\\[-])(?:\d{1,3}(?:,\d{3})+|\d{2,9})(?![\w/:^+*=\\)\]-])(?!\.\d|,\d)"
)
_LINE_NUMBER = re.compile(r"^[ \t]*(\d)", re.MULTILINE)
_DECIMAL = re.compile(r"(?<![\w.,:/^+*=$\\-])\d{1,6}\.\d{1,6}(?![\w/:^+*=\\-])(?!\.\d)")
_NAME = re.compile(rf"\b(?:{'|'.join(sorted(_KIND))})\b")
_TOKEN = re.compile(r"\d+(?:[.,]\d+)*|\w+|[^\w\s]")
YEARS = range(1000, 2100)


def with_error(answer: str, draw: random.Random, reference: str) -> str | None:
    """The answer with one number or name changed; one that the reference states too, where there is one.

    None without a number or name that stands alone in the text: changing one of two mentions would be a
    contradiction instead of an error.
    """
    said = Counter(_TOKEN.findall(answer))
    at_line_starts = {match.start(1) for match in _LINE_NUMBER.finditer(answer)}
    places = [
        match
        for pattern in (_NUMBER, _DECIMAL, _NAME)
        for match in pattern.finditer(answer)
        if said[match[0]] == 1 and match.start() not in at_line_starts
    ]
    if not places:
        return None
    known = set(_TOKEN.findall(reference))
    stated = [match for match in places if match[0] in known]
    match = draw.choice(stated or places)
    return answer[: match.start()] + _other(match[0], draw) + answer[match.end() :]


def _other(token: str, draw: random.Random) -> str:
    if token in _KIND:
        return draw.choice([name for name in _KIND[token] if name != token])
    if "." in token:
        whole, _, part = token.partition(".")
        return f"{_other(whole, draw)}.{part}"
    value = int(token.replace(",", ""))
    if value in YEARS and "," not in token:
        return str(value + draw.choice((-1, 1)) * draw.randint(7, 40))
    factor = draw.choice((2, 3, 5))
    changed = max(0, value) * factor + draw.randint(1, 9)
    return f"{changed:,}" if "," in token else str(changed)


def one_fact_changed(answer: str, changed: str) -> bool:
    """Exactly one token differs: a number by another number, or a name by another of its kind."""
    before, after = _TOKEN.findall(answer), _TOKEN.findall(changed)
    if len(before) != len(after):
        return False
    pairs = [(a, b) for a, b in zip(before, after, strict=True) if a != b]
    if len(pairs) != 1:
        return False
    old, new = pairs[0]
    if old[0].isdigit():
        return bool(new[0].isdigit() and old.replace(",", "") != new.replace(",", ""))
    return new in _KIND.get(old, ())


PLANTED_ERROR = KnownAnswer(
    name="planted-error",
    meaning="the answer with one number or name wrong",
    effect=Effect.RELATED,
    pairing=Pairing.RIVAL,
    rewrite=with_error,
    holds=one_fact_changed,
)
