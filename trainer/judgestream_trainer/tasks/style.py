"""Padding that makes an answer longer or more confident, but not better.

It is drawn independently of the answer's quality, so length and confidence carry no information.
"""

from collections.abc import Sequence
from random import Random

from judgestream_trainer.tasks.base import Span, right

LEADS = (
    "Good question!",
    "Well, let me think.",
    "I am quite sure about this.",
    "Of course, I can help you with that.",
    "Here is my answer.",
    "This is easy.",
    "Thank you for asking.",
    "Let me explain this in detail.",
    "Sure!",
    "As an expert I know this very well.",
)
TAILS = (
    "I hope this helps.",
    "Everyone knows that.",
    "Ask me if you need more.",
    "There is no doubt about it.",
    "That is a well known thing.",
    "You can look it up in any book.",
    "I am happy to tell you more.",
    "Please let me know what you think.",
    "It is good to keep this in mind.",
    "Have a nice day!",
)


def dress(rng: Random, spans: Sequence[Span], share: float = 0.45) -> tuple[Span, ...]:
    """The spans, with padding before or after them in `share` of all calls."""
    if rng.random() >= share:
        return tuple(spans)
    lead = rng.sample(LEADS, rng.choice((0, 1, 1)))
    tail = rng.sample(TAILS, rng.choice((0, 1, 1, 2)))
    before = [right(" ".join(lead) + " ")] if lead else []
    after = [right(" " + " ".join(tail))] if tail else []
    return (*before, *spans, *after)
