"""The budget of a run: whether one more request may be asked."""

from judgestream.core.costs import dollars


class Purse:
    """Counts what verdicts cost. Requests in flight are taken to cost as much as those before, or at first as
    much as was estimated."""

    def __init__(self, budget: float | None, *, estimated: float) -> None:
        """
        budget      in dollars; None for no limit
        estimated   of one request
        """
        self._budget = budget
        self._estimated = estimated
        self.spent = 0.0
        self._paid = 0

    @property
    def limited(self) -> bool:
        return self._budget is not None

    def pay(self, cost: float | None) -> None:
        self.spent += cost or 0.0
        self._paid += 1

    def allows(self, in_flight: int) -> bool:
        """Whether one more request fits, beside those in flight."""
        if self._budget is None:
            return True
        each = self.spent / self._paid if self._paid else self._estimated
        return self.spent + (in_flight + 1) * each <= self._budget

    def __str__(self) -> str:
        limit = "" if self._budget is None else f" of {dollars(self._budget)}"
        return f"{dollars(self.spent)}{limit}"
