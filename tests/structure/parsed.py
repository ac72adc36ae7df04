"""The nodes of a source file, parsed once."""

import ast
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)  # the trees of all files together would be millions of objects
def nodes(path: Path) -> tuple[ast.AST, ...]:
    """Every node of a file's syntax tree, in the order of `ast.walk`."""
    return tuple(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
