"""The limits of the trainer's gate: the options of `judgestream watch`."""

from dataclasses import dataclass

from judgestream.evaluation.gate.policy import DEFAULT_RULES


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """Thresholds for publishing a judge.

    least_examples  held-out examples that could be read, per format
    most_unscored   share of unreadable replies
    most_loss       the margin: a judge that is worse by this much or more, of accuracy or of consistency, is
                    published in at most one of 20 cycles. It decides how many examples are needed
    """

    least_examples: int = 50
    most_unscored: float = 0.02
    most_loss: float = DEFAULT_RULES["labels"].margin
