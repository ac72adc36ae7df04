"""The tree drawn at the top of errors.py is the tree of classes."""

import inspect
import re

import pytest

from judgestream.core import errors
from judgestream.core.errors import JudgestreamError, RetryableError

CLASSES = {
    name: cls
    for name, cls in inspect.getmembers(errors, inspect.isclass)
    if issubclass(cls, JudgestreamError)
}


def drawn() -> list[tuple[str, int, str]]:
    """Every line of the drawing: name, depth, what is said about it."""
    lines = (errors.__doc__ or "").splitlines()
    rows = [re.fullmatch(r"((?:[│ ]   )*(?:[├└]── )?)([A-Z]\w+)\s*(.*)", line) for line in lines]
    tree = [
        (m[2], len(m[1]) // 4, m[3]) for m in rows if m and (m[1] or m[2] == "JudgestreamError")
    ]
    assert tree[0][:2] == ("JudgestreamError", 0)
    return tree


def test_the_drawn_tree_equals_the_classes() -> None:
    parents: dict[str, str] = {}
    above: list[str] = []
    for name, depth, _ in drawn():
        above[depth:] = [name]
        if depth:
            parents[name] = above[depth - 1]
    real = {name: cls.__base__.__name__ for name, cls in CLASSES.items() if cls.__base__}
    assert parents == {name: base for name, base in real.items() if name != "JudgestreamError"}


def test_every_leaf_says_what_happened() -> None:
    parents = {cls.__base__ for cls in CLASSES.values()}
    said = {name: text for name, _, text in drawn()}
    assert [name for name, cls in CLASSES.items() if cls not in parents and not said[name]] == []


@pytest.mark.parametrize("cls", CLASSES.values(), ids=CLASSES)
def test_only_the_retryable_branch_is_retryable(cls: type[JudgestreamError]) -> None:
    assert cls.retryable is issubclass(cls, RetryableError)


def test_codes_are_stable_words_and_distinct() -> None:
    codes = [cls.code for cls in CLASSES.values()]
    assert len(set(codes)) == len(codes)
    assert all(re.fullmatch(r"[a-z_]+", code) for code in codes)
