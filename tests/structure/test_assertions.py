"""Every test can fail: it asserts, expects an error, or calls a helper that asserts."""

import ast
from collections.abc import Collection, Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.paths import ROOT

RETURNS = {
    "test_a_base_url_with_or_without_port_and_path_is_accepted",
    "test_arbitrary_bytes_never_raise",
    "test_valid_release_names_pass",
    "test_plain_paths_pass",
    "test_this_machine_needs_no_tls",
}
"""Tests that claim only that a check returns; the tests beside them hold that it raises for other values."""

COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)

FILES = sorted((ROOT / "tests").rglob("test_*.py"))


def asserts(function: ast.AST, helpers: Collection[str] = ()) -> bool:
    """Whether a function has an assertion, or calls one of `helpers`."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert):
            return True
        if isinstance(node, ast.Call):
            name = called(node)
            if name in ("pytest.raises", "pytest.fail") or name in helpers:
                return True
            if name.rpartition(".")[2].startswith("assert_"):
                return True
    return False


def called(call: ast.Call) -> str:
    """The name of the called function: `work`, `pytest.raises`, or `.assert_called` of any other value."""
    match call.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
        case ast.Attribute(attr=name):
            return f".{name}"
    return ""


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def vacuous(tree: ast.AST) -> Iterator[int]:
    """Lines of assertions that hold for every non-empty value: of a comprehension, or of a tuple."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            if isinstance(node.test, (*COMPREHENSIONS, ast.Tuple, ast.List)):
                yield node.lineno


def silent(tree: ast.AST) -> Iterator[str]:
    """Tests without any assertion, in themselves or in a function of their module that they call."""
    found = [(function, asserts(function)) for function in functions(tree)]
    helpers = {function.name for function, alone in found if alone}
    for function, alone in found:
        if function.name.startswith("test_") and not alone and not asserts(function, helpers):
            yield function.name


@cache
def faults(path: Path) -> tuple[list[int], list[str]]:
    """The vacuous lines and the silent tests of a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return list(vacuous(tree)), list(silent(tree))


def test_no_assertion_is_of_a_comprehension_or_a_tuple() -> None:
    found = [f"{path}:{line}" for path in FILES for line in faults(path)[0]]
    assert found == []


def test_every_test_asserts() -> None:
    found = {name: path for path in FILES for name in faults(path)[1]}
    assert {name: path for name, path in found.items() if name not in RETURNS} == {}


@pytest.mark.parametrize(
    ("code", "lines"),
    [
        ("assert [x > 1 for x in rows]", [1]),
        ("assert (x > 1 for x in rows)", [1]),
        ("assert (rows, 'a message')", [1]),
        ("assert all(x > 1 for x in rows)", []),
        ("assert [x for x in rows] == [1]", []),
    ],
)
def test_an_assertion_that_cannot_fail_is_found(code: str, lines: list[int]) -> None:
    assert list(vacuous(ast.parse(code))) == lines


def test_a_test_without_an_assertion_is_found() -> None:
    code = (
        "def test_a():\n    work()\ndef test_b():\n    assert_gone(1)\ndef test_c():\n    assert 1"
    )
    assert list(silent(ast.parse(code))) == ["test_a"]
