"""A suite: the files that it wants, the requests that it makes of them, and what it says about verdicts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from judgestream.core.formats.base import digest
from judgestream.core.formats.fields import Fields
from judgestream.core.preference import Preference
from judgestream.core.rubric import Rubric
from judgestream.core.types import Candidate, Options, Orders, Request, Verdict
from judgestream.evaluation.order_rules import OrderRule
from judgestream.evaluation.unreadable import UnreadableRule
from judgestream.suites.report import Report

SUITE_KEY = "judgestream.suite"
"""Metadata key of a suite's requests: the name of the suite."""
CLUSTER_KEY = "judgestream.suite.prompt"
"""Metadata key of their prompt, the cluster of every interval."""

Tables = Mapping[str, Sequence[Fields]]
"""The rows of a suite's files, by the name of `Wanted`. A file that is not there has no entry."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """A file that a suite reads, or several of one kind.

    pattern    path in the data folder; `*` stands for any part of a name
    content    what is in it
    source     where it comes from
    required   a run needs it; published judgements may be read without
    least      number of files that must match
    """

    name: str
    pattern: str
    content: str
    source: str
    required: bool = True
    least: int = 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Item:
    """One thing to judge, and what is known of it.

    key       its name in the suite; a run gives the request an id that is made of it
    cluster   the prompt: items of one prompt are one observation of every interval
    unit      items that mean something only together, such as a control and its perturbed copies; a limit
              keeps or leaves out whole units. "": the item alone
    gold      the better candidate, where the suite knows it
    facts     what the suite's figures need: category, systems, source
    """

    key: str
    request: Request
    cluster: str
    unit: str = ""
    gold: Preference | None = None
    facts: Mapping[str, str] = field(default_factory=dict)

    @property
    def together(self) -> str:
        return self.unit or self.key


@dataclass(frozen=True, kw_only=True, slots=True)
class Judged:
    """An item with its verdict; None where the run has none (yet)."""

    item: Item
    verdict: Verdict | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choices:
    """The rules that a report is made by."""

    rule: OrderRule
    unreadable: UnreadableRule


@dataclass(frozen=True, kw_only=True, slots=True)
class Recorded:
    """A published judgement: what a judge was shown, in the order shown, and what it answered.

    reply   a label of the template's grammar (A, B or C), a score line, or whatever the judge wrote
    """

    question: str
    answers: tuple[str, ...]
    reply: str
    reference: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Suite:
    """One row of the table.

    items        rows of the files -> what to judge
    report       judged items -> the paper's figures
    values       judged items -> item key -> a number whose mean is the headline; what `compare` pairs
    published    rows of the files -> figures of the judgements that were published with them
    ensemble     releases with their judged items -> the figures of all of them together
    recordings   by judge: its published judgements, for a recorded release
    rule, unreadable   as the paper has it
    orders       whether two orders amount to one outcome; else every judgement counts by itself
    """

    name: str
    title: str
    paper: str
    files: tuple[Wanted, ...]
    items: Callable[[Tables], Iterator[Item]]
    report: Callable[[Sequence[Judged], Choices], Report]
    values: Callable[[Sequence[Judged], Choices], Mapping[str, float]]
    rule: OrderRule = OrderRule.AVERAGED
    unreadable: UnreadableRule = UnreadableRule.UNSCORED
    orders: bool = True
    published: Callable[[Tables], Report] | None = None
    ensemble: Callable[[Sequence[tuple[str, Sequence[Judged]]]], Report] | None = None
    recordings: Mapping[str, Callable[[Tables], Iterator[Recorded]]] = field(default_factory=dict)

    @property
    def choices(self) -> Choices:
        """The paper's own rules."""
        return Choices(rule=self.rule, unreadable=self.unreadable)


_NO_TIME = datetime.min.replace(tzinfo=UTC)


def request(
    mode: str,
    question: str,
    candidates: Sequence[Candidate],
    *,
    reference: str | None = None,
    options: Options | None = None,
    rubric: Rubric | None = None,
) -> Request:
    """A request without an id and a time, which the run gives it (see `as_sent`)."""
    return Request(
        request_id="",
        mode=mode,
        question=question,
        candidates=tuple(candidates),
        requested_at=_NO_TIME,
        reference=reference,
        options=options or Options(),
        rubric=rubric,
    )


def as_sent(
    item: Item, *, suite: str, data: str, seed: int, at: datetime, rule: OrderRule
) -> Request:
    """The item's request as a run sends it. Its id depends on suite, data, seed and item, so that every run
    of the same data finds the verdicts of the runs before.

    Args:
        data: digest of the files.
        rule: that the run reports by; the one of the order as given asks for no other order.
    """
    options = item.request.options
    alone = rule is OrderRule.STRAIGHT and options.orders is Orders.BOTH
    parts = (suite, data, str(seed), item.key, *(("straight",) if alone else ()))
    return replace(
        item.request,
        request_id=f"{suite}-{digest(*parts, length=24)}",
        options=replace(options, orders=Orders.STRAIGHT) if alone else options,
        requested_at=at,
        metadata={**item.request.metadata, SUITE_KEY: suite, CLUSTER_KEY: item.cluster[:200]},
    )
