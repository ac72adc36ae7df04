"""Random numbers that depend on names, not on history."""

import hashlib
import random


def derived(*parts: object) -> random.Random:
    """A generator seeded by the parts: the same parts give the same numbers on every machine.

    Code that draws from a derived generator can be reordered, skipped or repeated without changing the draws
    of other code.
    """
    digest = hashlib.sha256("\x1f".join(str(part) for part in parts).encode()).digest()
    return random.Random(int.from_bytes(digest[:8], "big"))
