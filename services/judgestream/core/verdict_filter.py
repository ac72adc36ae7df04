"""Conditions on verdicts, shared by every command and service that lists them."""

from dataclasses import dataclass
from datetime import datetime

from judgestream.core.types import Status, Verdict


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictFilter:
    """Conditions that a verdict must meet, all of them. None sets no condition. Probes never match.

    flipped   True: the two orders disagree. False: both orders were judged and agree
    until     matches verdicts judged before this time
    winner    the winning candidate's id or system
    """

    status: Status | None = None
    system: str | None = None
    winner: str | None = None
    mode: str | None = None
    flipped: bool | None = None
    until: datetime | None = None

    def admits(self, verdict: Verdict) -> bool:
        return (
            not verdict.is_probe
            and (self.status is None or verdict.status is self.status)
            and (self.mode is None or verdict.mode == self.mode)
            and (self.flipped is None or verdict.flipped is self.flipped)
            and (self.until is None or verdict.judged_at < self.until)
            and (self.system is None or any(s.system == self.system for s in verdict.scores))
            and (self.winner is None or self.winner in _names_of_winner(verdict))
        )


def _names_of_winner(verdict: Verdict) -> set[str]:
    if not verdict.winner:
        return set()
    systems = {s.system for s in verdict.scores if s.candidate_id == verdict.winner and s.system}
    return {verdict.winner, *systems}
