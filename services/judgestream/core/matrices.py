"""The lower root of a symmetric matrix of a few dozen rows, and linear equations solved by it."""

from collections.abc import Sequence
from math import fsum, sqrt

Matrix = list[list[float]]

NEGLIGIBLE = 1e-11
"""A square below it is rounding: a direction without spread."""


def cholesky(matrix: Matrix) -> Matrix:
    """The lower root of a positive semidefinite matrix; a direction without spread has zeros."""
    size = len(matrix)
    root = [[0.0] * size for _ in range(size)]
    for a in range(size):
        for b in range(a + 1):
            rest = matrix[a][b] - fsum(root[a][k] * root[b][k] for k in range(b))
            if a == b:
                root[a][a] = sqrt(rest) if rest > NEGLIGIBLE else 0.0
            else:
                root[a][b] = rest / root[b][b] if root[b][b] else 0.0
    return root


def solve(root: Matrix, right: Sequence[float]) -> list[float]:
    """x of (root root') x = right; `root` has no zero on its diagonal."""
    size = len(right)
    forward: list[float] = []
    for a in range(size):
        known = fsum(root[a][k] * forward[k] for k in range(a))
        forward.append((right[a] - known) / root[a][a])
    result = [0.0] * size
    for a in reversed(range(size)):
        known = fsum(root[k][a] * result[k] for k in range(a + 1, size))
        result[a] = (forward[a] - known) / root[a][a]
    return result
