"""One judged item with its truth: the input of the cards and of the gates."""

from dataclasses import dataclass

from judgestream.core.preference import Preference
from judgestream.evaluation.position import lean


@dataclass(frozen=True, kw_only=True, slots=True)
class PairOutcome:
    """A pair as it was judged. Preferences are in the item's order; None where a reply is unreadable.

    truth              what the teacher (or the computation) says, of this format
    verdict            settled over both orders; confidence: probability of that outcome, 0 to 1
    straight, swapped  the preference of each order alone, by its probabilities
    greedy_straight, greedy_swapped   the same by the score line, read as JudgeLM's evaluator reads it; None
                       where it reads nothing
    longer             which answer has more characters
    outside            largest probability that an order left outside the score grammar
    cluster            shared by items with the same question; "" stands alone
    """

    truth: Preference
    verdict: Preference | None
    straight: Preference | None
    swapped: Preference | None
    confidence: float = 0.0
    group: str = ""
    greedy_straight: Preference | None = None
    greedy_swapped: Preference | None = None
    longer: Preference = Preference.TIE
    outside: float = 0.0
    cluster: str = ""

    @property
    def right(self) -> bool:
        """Whether the verdict is the truth; an unreadable one is not."""
        return self.verdict is not None and self.verdict == self.truth

    @property
    def consistent(self) -> bool:
        """Whether both orders were read and prefer the same."""
        return self.straight is not None and self.straight == self.swapped

    @property
    def lean(self) -> Preference | None:
        """See `position.lean`; None unless both orders were read."""
        if self.straight is None or self.swapped is None:
            return None
        return lean(self.straight, self.swapped)
