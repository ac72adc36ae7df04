"""The start of a new consumer group: its backlog is shown before any money is spent."""

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from judgestream.adapters.kafka.starting import EARLIEST, Start, commit_start, find_start
from judgestream.adapters.releases.endpoint import FAMILY
from judgestream.contracts.topics import Topic
from judgestream.core.costs import Prices, Terms, dollars
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Consumer, Kafka

log = logging.getLogger(__name__)

PROMPTS = 2
"""Prompts of a typical request: both orders of a pair."""

FRAME_TOKENS = 200
"""Tokens that a template adds to a request's own text, roughly."""

LINE_TOKENS = 16
BYTES_PER_TOKEN = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class PaidJudge:
    """A judge that costs money per prompt: the prices of the releases that it asks, as far as stated."""

    prices: tuple[Prices, ...] = ()

    def cost(self, start: Start) -> float:
        """Estimated dollars for the whole backlog; 0 when it is unknown."""
        tokens_in = start.mean_bytes / BYTES_PER_TOKEN + FRAME_TOKENS
        each = sum(prices.cost(tokens_in, LINE_TOKENS) for prices in self.prices)
        return start.records * PROMPTS * each


def paid_judge(releases: Iterable[Mapping[str, str]]) -> PaidJudge | None:
    """The prices of these releases, from their model configurations. None: they cost nothing.

    A release with prices is paid, and so is an endpoint with a key. Others are the user's own servers.

    Raises:
        ConfigurationError: a price is not a number.
    """
    paid = [
        Terms.of(parameters).prices
        for parameters in releases
        if Terms.of(parameters).prices.stated
        or (parameters.get("family") == FAMILY and parameters.get("key_variable"))
    ]
    return PaidJudge(prices=tuple(paid)) if paid else None


def place_group(
    kafka: Kafka,
    *,
    consumer: Consumer,
    topic: Topic,
    judge: PaidJudge | None = None,
    accepted: int = 0,
) -> bool:
    """Let a group without commits begin where the settings say. A group with commits is left alone.

    Returns whether the group is new.

    Args:
        judge: the paid judge that the group asks, if it asks one.
        accepted: records that such a group may begin with.

    Raises:
        ConfigurationError: there are more; the message says how many and what to choose.
        BrokerUnavailable: the broker does not answer.
    """
    group, start = consumer.group, consumer.start
    begin = find_start(kafka, group=group, topic=topic, start=start, sample=judge is not None)
    if not begin.new:
        return False
    backlog = describe(begin, judge)
    if judge is not None and begin.records > accepted:
        raise ConfigurationError(
            f"group {group} is new and would start {_position(start)} on {topic.name}, with {backlog}, at a"
            " paid endpoint. Choose: JUDGESTREAM_JUDGING__START=latest (only new records) or an ISO time"
            f" to start from, or accept the backlog: JUDGESTREAM_JUDGING__ACCEPT_BACKLOG={begin.records}"
            " or more"
        )
    log.info(
        "group %s is new: it starts %s on %s, with %s", group, _position(start), topic.name, backlog
    )
    if start != EARLIEST:
        commit_start(kafka, group=group, topic=topic, start=begin)
    return True


def describe(start: Start, judge: PaidJudge | None) -> str:
    """The backlog in words."""
    if judge is None:
        return f"{start.records:,} records before it"
    prompts = f"{start.records:,} records before it, about {start.records * PROMPTS:,} prompts"
    if not start.records:
        return prompts
    cost = judge.cost(start)
    if not cost:
        return f"{prompts} (at an unknown cost: the release states no prices)"
    return f"{prompts}, about {dollars(cost)}"


def _position(start: str) -> str:
    return f"at its {start} record" if start in (EARLIEST, "latest") else f"at {start}"
