"""The checkpoint that a release's name stands for, where servers have several under this name."""

from collections import Counter
from collections.abc import Sequence

DIGITS = 8


def agreed_digest(name: str, digests: Sequence[str]) -> str:
    """The digest that most likely belongs to the name: the one that the name ends with, else the most common,
    else that of the first server.

    Args:
        digests: one per server, in the order of the list; at least one.
    """
    for digest in digests:
        if len(digest) >= DIGITS and name.endswith(f"-{digest[:DIGITS]}"):
            return digest
    counts = Counter(digests)
    return max(digests, key=lambda digest: counts[digest])
