"""The words by which files name the better of two answers."""

from collections.abc import Mapping
from types import MappingProxyType

from judgestream.core.formats.fields import Fields
from judgestream.core.formats.reasons import NoLabel

FIRST, SECOND, TIE = 1, 2, 0
_STEMS = (
    *("", "model_", "model ", "answer_", "answer ", "answer", "response_", "response ", "response"),
    *("assistant_", "assistant ", "candidate_", "candidate ", "output_", "option ", "system_"),
)
WORDS: Mapping[str, int] = MappingProxyType(
    {
        **{f"{stem}{name}": FIRST for stem in _STEMS for name in ("1", "a")},
        **{f"{stem}{name}": SECOND for stem in _STEMS for name in ("2", "b")},
        "[[a]]": FIRST,
        "[[b]]": SECOND,
        "[[c]]": TIE,
        "first": FIRST,
        "second": SECOND,
        "left": FIRST,
        "right": SECOND,
        "tie": TIE,
        "tied": TIE,
        "draw": TIE,
        "equal": TIE,
        "both": TIE,
        "both_good": TIE,
        "both_bad": TIE,
        "bothbad": TIE,
        "tie (both good)": TIE,
        "tie (bothgood)": TIE,
        "tie (bothbad)": TIE,
        "tie (both bad)": TIE,
    }
)
"""0 is missing on purpose: some files write it for the first answer, some for a tie."""


def side(value: object, systems: tuple[str, str] = ("", "")) -> int | NoLabel:
    """1 for the first answer, 2 for the second, 0 for a tie, or why there is no label.

    A word of the table, a number 1 or 2, or the name of the system that gave one of the answers.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or value == "" or (isinstance(value, float) and value != value):
        return NoLabel.NO_WINNER
    if isinstance(value, bool) or not isinstance(value, int | str):
        return NoLabel.UNKNOWN_WINNER
    if isinstance(value, int):
        return value if value in (FIRST, SECOND) else NoLabel.UNKNOWN_WINNER
    text = value.strip()
    named = [k for k, system in enumerate(systems, start=1) if system and system == text]
    if len(named) == 1:
        return named[0]
    word = text.lower().removesuffix(".0")
    return WORDS.get(word, NoLabel.UNKNOWN_WINNER if word else NoLabel.NO_WINNER)


def flags(fields: Fields, first: str, second: str, tie: str) -> int | NoLabel:
    """The side that one of three flags marks, as Kaggle's Arena tables have them."""
    set_ = [
        k for k, name in ((FIRST, first), (SECOND, second), (TIE, tie)) if _is_set(fields, name)
    ]
    if len(set_) == 1:
        return set_[0]
    return NoLabel.UNKNOWN_WINNER if set_ else NoLabel.NO_WINNER


def _is_set(fields: Fields, name: str) -> bool:
    value = fields.values.get(name)
    return value in (1, True, "1", "1.0", "true", "True")


def ids(first: str, second: str) -> Mapping[int, str]:
    """The sides as the candidate ids that stand for them, a tie as ""."""
    return {FIRST: first, SECOND: second, TIE: ""}
