"""The state of all releases: the stage of each, what its evidence says, and the latest changes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from judgestream.core.limits import EARLIEST

MOST_CHANGES = 100
"""Changes that the state itself keeps, newest last. The topic has all of them until it is compacted."""


class Stage(StrEnum):
    """What a release is used for.

    staged    nothing yet: it is being installed and loaded, or waits for its first move
    shadow    judges a share of the requests a second time; its verdicts go to `judge.shadow.v1` only
    canary    answers a share of the requests
    stable    answers all other requests; one release at most
    retired   nothing any more, by decision or because another release took its place
    failed    nothing any more: it could not be prepared, its evidence was bad, or it was rolled back
    """

    STAGED = "staged"
    SHADOW = "shadow"
    CANARY = "canary"
    STABLE = "stable"
    RETIRED = "retired"
    FAILED = "failed"


class Step(StrEnum):
    """How far a release is prepared on Triton. Each step follows the one before; `unloaded` follows `ready`.

    announced   known by its checkpoint's location or its name in the repository
    installed   every digest verified, its model folder written
    loaded      enough Triton servers have loaded it
    ready       it has answered a known good prompt
    unloaded    taken off Triton after its grace time
    """

    ANNOUNCED = "announced"
    INSTALLED = "installed"
    LOADED = "loaded"
    READY = "ready"
    UNLOADED = "unloaded"


class Action(StrEnum):
    """What can be done with a release. `prepare` records a step, `fail` a failed step or bad evidence."""

    STAGE = "stage"
    PREPARE = "prepare"
    SHADOW = "shadow"
    CANARY = "canary"
    PROMOTE = "promote"
    ROLL_BACK = "rollback"
    RETIRE = "retire"
    FAIL = "fail"


IN_TRAFFIC = frozenset({Stage.SHADOW, Stage.CANARY, Stage.STABLE})
CANDIDATE = frozenset({Stage.SHADOW, Stage.CANARY})


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What one guard found against one baseline.

    estimate, low, high   the paired difference, positive where the candidate is better; None without data
    items, units          paired verdicts, and the different prompts among them
    """

    guard: str
    baseline: str
    decision: str
    estimate: float | None = None
    low: float | None = None
    high: float | None = None
    margin: float = 0.0
    items: int = 0
    units: int = 0
    sentence: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """The gate's decision on a candidate: better, not worse, worse or undecided, and why."""

    decision: str
    measured_at: datetime
    sentence: str = ""
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Placed:
    """A release and its stage.

    location   folder or URL of its checkpoint; "" for a release that was already in the repository
    share      of the requests, 0 to 1: in shadow and canary
    shadow     share of the requests that is judged in shadow; a canary keeps it for the requests that it does
               not answer, so that its evidence grows
    where      metadata that a request must have to be in the share; empty: every request
    by, why    who made the latest move, and the reason
    error      why it failed; ""
    """

    release: str
    checkpoint_digest: str = ""
    location: str = ""
    stage: Stage = Stage.STAGED
    step: Step = Step.ANNOUNCED
    share: float = 0.0
    shadow: float = 0.0
    where: Mapping[str, str] = field(default_factory=dict)
    since: datetime = EARLIEST
    by: str = ""
    why: str = ""
    error: str = ""
    evidence: Evidence | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """One move that was made. `before` is None for a release that was new."""

    revision: int
    at: datetime
    release: str
    action: Action
    before: Stage | None
    after: Stage
    step: Step
    share: float = 0.0
    by: str = ""
    why: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rollout:
    """All releases of a rollout.

    revision   number of changes so far
    previous   stable releases before the current one, newest first
    best       the best release so far by evidence: every candidate is compared with it, too
    adopted    the release of the setting `triton.release` that was made stable last
    changes    the newest `MOST_CHANGES`
    next_checkpoint   offset on `judge.checkpoints.v1`: checkpoints before it are not staged automatically
    """

    revision: int = 0
    releases: Mapping[str, Placed] = field(default_factory=dict)
    previous: tuple[str, ...] = ()
    best: str = ""
    adopted: str = ""
    changes: tuple[Change, ...] = ()
    next_checkpoint: int = 0

    @property
    def stable(self) -> str:
        """The stable release; "" before the first one."""
        return next((one.release for one in self.at(Stage.STABLE)), "")

    def at(self, *stages: Stage) -> tuple[Placed, ...]:
        """The releases in these stages, by the time of their latest move."""
        found = (one for one in self.releases.values() if one.stage in stages)
        return tuple(sorted(found, key=lambda one: (one.since, one.release)))
