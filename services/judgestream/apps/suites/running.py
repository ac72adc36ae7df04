"""A run: the items of a suite become requests, verdicts that are known are taken, the rest is judged."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from judgestream.apps.suites import directly
from judgestream.apps.suites.by_topic import Pipeline, Stalled
from judgestream.apps.suites.judge import Estimate, JudgeFacts, estimate
from judgestream.apps.suites.loading import Loaded
from judgestream.apps.suites.purse import Purse
from judgestream.apps.suites.run_folder import RunFolder
from judgestream.core.errors import ConfigurationError, InvalidRequest
from judgestream.core.identity import content_digest
from judgestream.core.modes import check
from judgestream.core.types import Request, Status, Verdict
from judgestream.evaluation.order_rules import OrderRule
from judgestream.settings import Settings
from judgestream.suites.base import Item, Judged, Suite, as_sent
from judgestream.suites.sampling import sampled, selected


@dataclass(frozen=True, kw_only=True, slots=True)
class Wish:
    """What the user asks for.

    only     facts that an item must have
    limit    number of items; None for all
    budget   dollars; None for no limit
    direct   ask the release itself, not through the topics
    """

    suite: Suite
    loaded: Loaded
    seed: int
    rule: OrderRule
    only: Mapping[str, str] = field(default_factory=dict)
    limit: int | None = None
    budget: float | None = None
    direct: bool = False
    patience_s: float = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Planned:
    """The items of a run with their requests, in order."""

    rows: tuple[tuple[Item, Request], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finished:
    """What a run came to.

    from_folder, from_topic   verdicts that were known before
    asked                     verdicts of this run
    unsent                    requests that the budget did not allow
    stalled                   requests that waited in vain
    others                    releases that answered in place of the run's own
    """

    judged: tuple[Judged, ...]
    from_folder: int = 0
    from_topic: int = 0
    asked: int = 0
    unsent: int = 0
    stalled: int = 0
    others: frozenset[str] = frozenset()
    spent: float = 0.0

    @property
    def complete(self) -> bool:
        return not (self.unsent or self.stalled)


def planned(wish: Wish, at: datetime) -> Planned:
    """The requests of a run, checked.

    Raises:
        ConfigurationError: no item is left, or two items have the same key.
        InvalidRequest: an item is not a request that can be judged.
    """
    try:
        found = selected(list(wish.suite.items(wish.loaded.tables)), wish.only)
    except KeyError as exc:
        raise ConfigurationError(
            f"--only {exc.args[0]}: no item of suite {wish.suite.name} has this fact"
        ) from None
    items = sampled(found, wish.limit, wish.seed)
    if not items:
        raise ConfigurationError(
            f"suite {wish.suite.name} has no item here: check --only and the files"
        )
    rows = []
    seen: set[str] = set()
    for item in items:
        if item.key in seen:
            raise ConfigurationError(
                f"suite {wish.suite.name} has item {item.key[:80]!r} twice: remove the repeated row"
            )
        seen.add(item.key)
        request = as_sent(
            item,
            suite=wish.suite.name,
            data=wish.loaded.digest,
            seed=wish.seed,
            at=at,
            rule=wish.rule,
        )
        try:
            check(request)
        except InvalidRequest as exc:
            raise InvalidRequest(f"item {item.key[:80]}: {exc}") from exc
        rows.append((item, request))
    return Planned(rows=tuple(rows))


def cost_of(plan: Planned, judge: JudgeFacts) -> Estimate:
    return estimate([request for _, request in plan.rows], judge)


def default_folder(wish: Wish, release: str) -> Path:
    return Path("suite-runs") / (
        f"{wish.suite.name}-{release}-{wish.loaded.digest[:8]}-seed{wish.seed}"
    )


def run(
    wish: Wish,
    plan: Planned,
    judge: JudgeFacts,
    settings: Settings,
    folder: RunFolder,
    on_progress: Callable[[int], None],
) -> Finished:
    """Judge what is not judged yet. Each verdict is in the folder's journal before it counts.

    Raises:
        JudgestreamError: a server does not answer, or the release is not loaded.
    """
    requests = [request for _, request in plan.rows]
    wanted = {one.request_id: content_digest(one) for one in requests}
    known: dict[str, Verdict] = {}

    def take(verdict: Verdict, *, new: bool = True) -> None:
        if new:
            folder.add(verdict)
        known[verdict.request_id] = verdict
        on_progress(len(known))

    for verdict in folder.journal():
        if _counts(verdict, wanted):
            take(verdict, new=False)
    from_folder = len(known)
    purse = Purse(wish.budget, estimated=_each(requests, judge))
    unsent = stalled = from_topic = 0
    others: frozenset[str] = frozenset()
    with ExitStack() as stack:
        pipeline = None
        if len(known) < len(requests) and not wish.direct:
            pipeline = stack.enter_context(Pipeline(settings.kafka, judge.name))
            missing = {name: digest for name, digest in wanted.items() if name not in known}
            for verdict in pipeline.earlier(missing):
                if verdict.request_id not in known:
                    take(verdict)
            from_topic = len(known) - from_folder
        before = len(known)
        left = [one for one in requests if one.request_id not in known]
        try:
            if pipeline is not None and left:
                unsent = pipeline.judge(left, purse, on_verdict=take, patience_s=wish.patience_s)
            elif left:
                unsent = directly.judge(
                    settings,
                    judge.name,
                    left,
                    purse,
                    on_verdict=take,
                    patience_s=wish.patience_s,
                )
        except Stalled as exc:
            stalled, others = exc.waiting, exc.others
    return Finished(
        judged=tuple(
            Judged(item=item, verdict=known.get(request.request_id)) for item, request in plan.rows
        ),
        from_folder=from_folder,
        from_topic=from_topic,
        asked=len(known) - before,
        unsent=unsent,
        stalled=stalled,
        others=others,
        spent=purse.spent,
    )


def _counts(verdict: Verdict, wanted: Mapping[str, str]) -> bool:
    """Whether a verdict of the journal answers a request of this run. A failed one is asked again."""
    return (
        verdict.status is not Status.FAILED
        and wanted.get(verdict.request_id) == verdict.content_digest
    )


def _each(requests: Sequence[Request], judge: JudgeFacts) -> float:
    """Dollars that one request costs, as estimated."""
    found = estimate(requests[:100], judge).cost
    return (found or 0.0) / max(1, len(requests[:100]))


def now() -> datetime:
    return datetime.now(UTC)
