"""The import statements of the project's files, as absolute dotted names."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.paths import ROOT, SERVICES, TRAINER
from tests.structure.parsed import nodes


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Every module that a file imports: `from a import b` gives `a` and `a.b`."""
    return tuple(_imports(path))


def _imports(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, (_base(path, node.level), node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _base(path: Path, level: int) -> str:
    """The package that a relative import with this many dots starts from."""
    if level == 0:
        return ""
    source = next(root for root in (SERVICES, TRAINER, ROOT) if path.is_relative_to(root))
    package = path.parent.relative_to(source).parts
    return ".".join(package[: len(package) - level + 1])


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)
