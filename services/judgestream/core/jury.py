"""A jury: a release that is a list of releases, and the rule by which their verdicts become one.

Every member judges the request by itself, with its own template and passes. Only members with a scored
verdict vote. At least `quorum` of them must, or the jury's verdict is unscored.

    majority   each vote counts one; between two candidates a member votes for the outcome of its verdict
    mean       the members' probabilities are averaged
    weighted   the same, weighted by the weights in the record, such as each member's measured accuracy
    cascade    the first member judges, and the others are asked only if it is unsure: see `core.cascade`

Between two candidates the shares of the votes, or the averaged probabilities, decide as the probabilities of
a single judge do (`reconcile.preference`): a tie that is as probable as the better side wins, and an exact
draw of the sides is a tie. A score of a jury is the median of its members' scores under `majority`, else
their mean with the same weights; so is its score by each criterion of a rubric. An answer passes if more than
half of the votes' weight says so. A mode that ranks is ranked by these scores, and P(best) is averaged. In
other modes without win and lose, the candidate with the most votes wins.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

from judgestream.core.errors import ConfigurationError

FAMILY = "jury"
"""The family of a jury's release, and its template id: the members have their own."""

MOST_MEMBERS = 16
LIGHTEST, HEAVIEST = 1e-6, 1e6
"""Bounds of a weight, between which no sum of weights overflows or rounds a member away."""


class JuryRule(StrEnum):
    MAJORITY = "majority"
    MEAN = "mean"
    WEIGHTED = "weighted"
    CASCADE = "cascade"


@dataclass(frozen=True, kw_only=True, slots=True)
class Juror:
    """One member: a release, and its weight under the rule `weighted`."""

    release: str
    weight: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class JuryRecord:
    """Members, rule and quorum, as a release states them.

    quorum   members that must give a scored verdict
    below    for a cascade: a member whose confidence is below this is unsure; 0 for other rules
    then     for a cascade: the rule of the vote if the first member is unsure; None asks one after the other

    Raises:
        ConfigurationError: fewer than two members, a repeated one, an invalid weight, quorum, bound or vote.
    """

    rule: JuryRule
    members: tuple[Juror, ...]
    quorum: int
    below: float = 0.0
    then: JuryRule | None = None

    def __post_init__(self) -> None:
        names = [member.release for member in self.members]
        if not 2 <= len(names) <= MOST_MEMBERS or len(set(names)) != len(names):
            raise ConfigurationError(
                f"a jury has 2 to {MOST_MEMBERS} different members, not {', '.join(names) or 'none'}"
            )
        for member in self.members:
            if not LIGHTEST <= member.weight <= HEAVIEST:  # NaN is outside, too
                raise ConfigurationError(
                    f"the weight of {member.release} is {member.weight:g}: give a number from {LIGHTEST:g} to"
                    f" {HEAVIEST:g}"
                )
            if self.vote is not JuryRule.WEIGHTED and member.weight != 1:
                raise ConfigurationError(f"rule {self.vote} takes no weights: use --rule weighted")
        if not 1 <= self.quorum <= len(names):
            raise ConfigurationError(
                f"quorum {self.quorum} is impossible with {len(names)} members: use 1 to {len(names)}"
            )
        self._check_cascade()

    def _check_cascade(self) -> None:
        if self.rule is not JuryRule.CASCADE:
            if self.below != 0 or self.then is not None:
                raise ConfigurationError(
                    f"rule {self.rule} asks every member: use --below and --then with --rule cascade only"
                )
            return
        if not 0 < self.below <= 1:  # NaN is outside, too
            raise ConfigurationError(
                f"a cascade cannot ask the next member below a confidence of {self.below:g}: give --below a"
                " number above 0, at most 1"
            )
        if self.then is JuryRule.CASCADE:
            raise ConfigurationError(
                "a cascade's vote is majority, mean or weighted: leave --then out to ask one member after the"
                " other"
            )
        if self.then is None and self.quorum != 1:
            raise ConfigurationError(
                f"quorum {self.quorum} is impossible in a cascade without a vote, where one member decides:"
                " leave --quorum out, or add --then"
            )

    @property
    def vote(self) -> JuryRule:
        """The rule by which several members' verdicts become one."""
        return self.then or self.rule

    def digest(self, digests: Mapping[str, str]) -> str:
        """SHA-256, in hex, of the rule, the quorum, every member's checkpoint digest and weight, and what a
        cascade has besides.

        Args:
            digests: of the members' checkpoints, by release. The members' order matters in a cascade only.
        """
        parts = [(digests[member.release], member.weight) for member in self.members]
        identity: list[object] = [self.rule.value, self.quorum, sorted(parts)]
        if self.rule is JuryRule.CASCADE:
            identity = [self.rule.value, self.quorum, parts, float(self.below), self.then or ""]
        return hashlib.sha256(json.dumps(identity).encode()).hexdigest()

    def parameters(self) -> dict[str, str]:
        """The record as parameters of a model's configuration in Triton."""
        members = [{"release": one.release, "weight": one.weight} for one in self.members]
        return {
            "rule": self.rule.value,
            "quorum": str(self.quorum),
            "below": str(self.below),
            "then": self.then or "",
            "members": json.dumps(members),
        }

    @classmethod
    def of(cls, parameters: Mapping[str, str]) -> Self:
        """The record in a model's configuration. Older versions wrote none of a cascade's values.

        Raises:
            ConfigurationError: it is incomplete or invalid.
        """
        try:
            members: Any = json.loads(parameters["members"])
            return cls(
                rule=JuryRule(parameters["rule"]),
                quorum=int(parameters["quorum"]),
                below=float(parameters.get("below", "0")),
                then=JuryRule(then) if (then := parameters.get("then", "")) else None,
                members=tuple(
                    Juror(release=str(one["release"]), weight=float(one["weight"]))
                    for one in members
                ),
            )
        except (KeyError, TypeError, ValueError, OverflowError, RecursionError) as error:
            raise ConfigurationError(
                f"a jury's record is invalid ({type(error).__name__}: {error}): make it again with"
                " `judgestream release jury`"
            ) from error


def is_jury(parameters: Mapping[str, str]) -> bool:
    """Whether a model's configuration is that of a jury."""
    return parameters.get("family") == FAMILY


def default_quorum(members: Sequence[Juror]) -> int:
    """More than half of the members."""
    return len(members) // 2 + 1
