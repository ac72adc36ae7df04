"""Where a new group starts, said with its backlog before anything is spent."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

from judgestream.adapters.kafka.starting import EARLIEST, Start, commit_start, find_start
from judgestream.adapters.releases.endpoint import FAMILY
from judgestream.contracts.topics import Topic
from judgestream.core.errors import ConfigurationError
from judgestream.settings import Kafka

log = logging.getLogger(__name__)

PROMPTS = 2
"""Prompts of a typical request: both orders of a pair."""

FRAME_TOKENS = 200
"""What a template adds to a request's own text, about."""

LINE_TOKENS = 16
BYTES_PER_TOKEN = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Paid:
    """A judge that costs money per prompt; prices per million tokens, 0 where they were not stated."""

    price_in: float = 0.0
    price_out: float = 0.0

    def cost(self, start: Start) -> float:
        """Of the whole backlog, in the currency of the prices; 0 if it cannot be told."""
        tokens_in = start.mean_bytes / BYTES_PER_TOKEN + FRAME_TOKENS
        each = (tokens_in * self.price_in + LINE_TOKENS * self.price_out) / 1e6
        return start.records * PROMPTS * each


def paid(parameters: Mapping[str, str]) -> Paid | None:
    """What a release's configuration says of its price: an endpoint with a key or with prices is paid for,
    one without either is somebody's own server."""
    if parameters.get("family") != FAMILY:
        return None
    price_in, price_out = (_number(parameters.get(name)) for name in ("price_in", "price_out"))
    if not parameters.get("key_variable") and not price_in and not price_out:
        return None
    return Paid(price_in=price_in, price_out=price_out)


def place_group(
    kafka: Kafka,
    *,
    group: str,
    topic: Topic,
    start: str,
    judge: Paid | None = None,
    accepted: int = 0,
) -> None:
    """Let a group without commits begin where the settings say; nothing happens to one that has any.

    judge     of a group that asks one that is paid for
    accepted  records that such a group may begin with

    Raises:
        ConfigurationError: there are more; the message says how many and what to choose.
        BrokerUnavailable: the broker does not answer.
    """
    found = find_start(kafka, group=group, topic=topic, start=start, sample=judge is not None)
    if not found.new:
        return
    said = told(found, judge)
    if judge is not None and found.records > accepted:
        raise ConfigurationError(
            f"group {group} is new and would start {_where(start)} on {topic.name}, with {said}, at an"
            f" endpoint that is paid for. Choose: JUDGESTREAM_JUDGING__START=latest (only what comes from"
            " now on) or an ISO time to start from, or accept it:"
            f" JUDGESTREAM_JUDGING__ACCEPT_BACKLOG={found.records} or more"
        )
    log.info("group %s is new: it starts %s on %s, with %s", group, _where(start), topic.name, said)
    if start != EARLIEST:
        commit_start(kafka, group=group, topic=topic, start=found)


def told(start: Start, judge: Paid | None) -> str:
    """The backlog in words."""
    if judge is None:
        return f"{start.records:,} records before it"
    prompts = f"{start.records:,} records before it, about {start.records * PROMPTS:,} prompts"
    if not start.records:
        return prompts
    cost = judge.cost(start)
    if not cost:
        return f"{prompts} (what they cost is not known: the release states no prices)"
    return f"{prompts}, about {cost:,.2f} in the currency of its prices"


def _where(start: str) -> str:
    return f"at its {start} record" if start in (EARLIEST, "latest") else f"at {start}"


def _number(text: str | None) -> float:
    try:
        return float(text or 0)
    except ValueError:
        return 0.0
