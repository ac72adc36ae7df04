"""Which verdicts a command shows: one filter, shared by `verdicts tail`, `get` and `export`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

import typer

from judgestream.core.types import Status, Verdict
from judgestream.terminal import options

WithStatus = Annotated[Status | None, typer.Option("--status", help="only verdicts of this status")]
WithSystem = Annotated[
    str | None,
    typer.Option("--system", metavar="NAME", help="only verdicts on an answer of this system"),
]
WithWinner = Annotated[
    str | None,
    typer.Option(
        "--winner", metavar="NAME", help="only verdicts won by this candidate id or system"
    ),
]
WithMode = Annotated[str | None, typer.Option("--mode", help="only verdicts of this mode")]
WithFlip = Annotated[
    bool | None,
    typer.Option(
        "--flipped/--consistent", help="only verdicts whose two orders disagree, or agree"
    ),
]
Until = Annotated[
    datetime | None,
    typer.Option(
        "--until",
        parser=options.moment,
        metavar="WHEN",
        help="judged before: as --since",
    ),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictFilter:
    """Conditions that a verdict must meet, all of them; None admits everything but probes.

    flipped   True: the orders disagree. False: both orders were asked and agree.
    until     admits verdicts judged before this time
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
