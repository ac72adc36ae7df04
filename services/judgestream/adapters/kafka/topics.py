"""Topics on the broker, compared with the topic table. Creates missing ones; `topic_changes` alters them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    KafkaError,
    NoError,
    TopicAlreadyExistsError,
    TopicAuthorizationFailedError,
    for_code,
)

from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.failures import no_broker
from judgestream.adapters.kafka.greeting import greet
from judgestream.contracts.topics import TOPICS, Topic
from judgestream.core.errors import BrokerUnavailable
from judgestream.settings import Kafka

MISSING, FORBIDDEN = "missing", "not visible"


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """A difference between a topic on the broker and the table. `found` is MISSING when there is no such
    topic, and FORBIDDEN when this user may not see it."""

    topic: str
    what: str
    wanted: str
    found: str

    @property
    def absent(self) -> bool:
        """Whether the topic cannot be used."""
        return self.found in (MISSING, FORBIDDEN)

    def __str__(self) -> str:
        if self.found == MISSING:
            return f"{self.topic}: missing; `judgestream topics apply` creates it"
        if self.found == FORBIDDEN:
            return f"{self.topic}: this user may not see it: grant DESCRIBE on the topic"
        return f"{self.topic}: {self.what} is {self.found}, the table says {self.wanted}"


def admin(settings: Kafka, *, timeout_s: float | None = None) -> KafkaAdminClient:
    """A connected admin client.

    Args:
        timeout_s: how long the broker may take to answer, if less than `kafka.connect_timeout_s`.

    Raises:
        BrokerUnavailable: no broker answers, or it refuses us; the message names the setting.
    """
    longest = settings.connect_timeout_s
    greet(settings)
    try:
        return KafkaAdminClient(
            **client_options(settings),
            client_id="judgestream-admin",
            bootstrap_timeout_ms=int(min(longest, timeout_s or longest) * 1000),
        )
    except (KafkaError, OSError, ValueError) as exc:
        raise no_broker(settings, exc) from exc


def check(client: KafkaAdminClient, topics: Iterable[Topic] = TOPICS.values()) -> list[Difference]:
    """Every difference between the broker and the table."""
    wanted = {topic.name: topic for topic in topics}
    try:
        present = set(client.list_topics()) & set(wanted)
        described = client.describe_topics(sorted(present)) if present else []
        configs = topic_configs(client, sorted(present))
        forbidden = _forbidden(client, sorted(set(wanted) - present))
    except KafkaError as exc:
        raise BrokerUnavailable(f"the broker does not describe its topics: {exc}") from exc
    partitions = {_name(entry): len(entry["partitions"]) for entry in described}
    differences: list[Difference] = []
    for name, topic in wanted.items():
        if name not in present:
            found = FORBIDDEN if name in forbidden else MISSING
            differences.append(Difference(topic=name, what="topic", wanted="", found=found))
            continue
        present_partitions = partitions.get(name, 0)
        grown = topic.cleanup == "delete" and present_partitions > topic.partitions
        rows = (
            {}
            if grown  # with `topics apply --alter --partitions`
            else {"partitions": (str(topic.partitions), str(present_partitions))}
        )
        rows |= {key: (value, configs[name].get(key, "")) for key, value in topic.config.items()}
        differences += [
            Difference(topic=name, what=what, wanted=want, found=found)
            for what, (want, found) in rows.items()
            if want != found
        ]
    return differences


def apply(
    client: KafkaAdminClient, settings: Kafka, topics: Iterable[Topic] = TOPICS.values()
) -> tuple[list[str], list[Difference]]:
    """Create what is missing. Returns the names created and what still differs."""
    wanted = {topic.name: topic for topic in topics}
    missing = [d.topic for d in check(client, wanted.values()) if d.found == MISSING]
    created = _create(client, settings, [wanted[name] for name in missing])
    return created, check(client, wanted.values())


def _create(client: KafkaAdminClient, settings: Kafka, topics: list[Topic]) -> list[str]:
    """Create topics in one request, and wait until they can be used. Returns the names, without those that
    somebody else has created meanwhile."""
    if not topics:
        return []
    specs = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": settings.replication_factor,
            "configs": topic.config,
        }
        for topic in topics
    }
    try:
        answers = client.create_topics(specs, raise_errors=False)["topics"]
        errors = {_name(one): for_code(one["error_code"]) for one in answers}
        for one in answers:
            if errors[_name(one)] not in (NoError, TopicAlreadyExistsError):
                raise BrokerUnavailable(
                    f"topic {_name(one)} could not be created:"
                    f" {one.get('error_message') or errors[_name(one)].__name__}"
                )
        client.wait_for_topics(list(specs))
    except KafkaError as exc:
        raise BrokerUnavailable(f"the topics could not be created: {exc}") from exc
    return [name for name in specs if errors.get(name) is NoError]


def topic_identity(client: KafkaAdminClient, topic: Topic) -> str:
    """The id that the broker gave the topic when it was created; "" from a broker without topic ids."""
    try:
        (described,) = client.describe_topics([topic.name])
    except KafkaError as exc:
        raise BrokerUnavailable(f"topic {topic.name} could not be described: {exc}") from exc
    return str(described.get("topic_id") or "")


def _forbidden(client: KafkaAdminClient, names: list[str]) -> set[str]:
    """The names that this user may not see. Kafka leaves them out of a listing."""
    if not names:
        return set()
    described = client.describe_topics(names)
    return {
        _name(entry)
        for entry in described
        if entry.get("error_code") == TopicAuthorizationFailedError.errno
    }


def topic_configs(client: KafkaAdminClient, names: list[str]) -> dict[str, dict[str, str]]:
    """Topic -> its settings, defaults included."""
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer = client.describe_configs(resources, config_filter="all")
    return {
        name: {key: _value(entry) for key, entry in entries.items()}
        for by_name in answer.values()
        for name, entries in by_name.items()
    }


def _value(entry: Any) -> str:
    value = entry.get("value") if isinstance(entry, dict) else getattr(entry, "value", entry)
    return "" if value is None else str(value)


def _name(entry: dict[str, Any]) -> str:
    return str(entry.get("name") or entry.get("topic"))
