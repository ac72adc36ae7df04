"""What nobody may do on the secured pipeline is refused, and has no effect."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from kafka.errors import KafkaError
from pydantic import SecretStr
from redis import Redis as Client
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from judgestream.adapters.redis.client import client
from judgestream.adapters.rollout.calls import RolloutCalls
from judgestream.adapters.rollout.errors import RolloutRefused, RolloutUnavailable
from judgestream.adapters.tls.client import ClientTls
from judgestream.adapters.triton.control import TritonControl
from judgestream.contracts.topics import TOPICS
from judgestream.core.errors import ConfigurationError, JudgeUnavailable
from judgestream.local.ports import HOST
from judgestream.local.valkey import ValkeyServer
from judgestream.settings import Redis
from tests.integration.rollout_scenario import CANDIDATE
from tests.integration.secured.attempts import (
    PLANTED,
    Attempt,
    create,
    delete,
    read,
    use_group,
    write,
)
from tests.integration.secured.certificates import Authority
from tests.integration.secured.handshakes import answer_in_plain_text
from tests.integration.secured.scenario import Proof, everything
from tests.integration.secured.stack import MOVER, Stack
from tests.integration.secured.triton import client_tls

pytestmark = pytest.mark.integration

TOPIC, GROUP = "TopicAuthorizationFailedError", "GroupAuthorizationFailedError"

REFUSED: tuple[tuple[str, Attempt, str, str], ...] = (
    ("producer", read, "judge.verdicts.v1", TOPIC),
    ("producer", read, "judge.requests.v1", TOPIC),
    ("producer", write, "judge.verdicts.v1", TOPIC),
    ("producer", create, PLANTED, TOPIC),
    ("producer", use_group, "judgestream-judging", GROUP),
    ("consumer", read, "judge.requests.v1", TOPIC),
    ("consumer", write, "judge.requests.v1", TOPIC),
    ("consumer", write, "judge.verdicts.v1", TOPIC),
    ("consumer", write, "judge.rollouts.v1", TOPIC),
    ("consumer", create, PLANTED, TOPIC),
    ("consumer", delete, "judge.verdicts.v1", TOPIC),
    ("consumer", use_group, "judgestream-judging", GROUP),
    ("judging", write, "judge.rollouts.v1", TOPIC),
    ("shadow", write, "judge.verdicts.v1", TOPIC),
    ("bias", write, "judge.verdicts.v1", TOPIC),
    ("rollout", write, "judge.verdicts.v1", TOPIC),
)
"""User, what it tries with which topic or group, and Kafka's error."""


def refusal(attempt: Callable[[], object]) -> str:
    """The name of the error; "" if nothing was refused."""
    try:
        attempt()
    except (KafkaError, RedisError) as exc:
        return type(exc).__name__
    return ""


def test_kafka_refuses_what_is_not_in_the_row_of_a_user(proof: Proof) -> None:
    stack = proof.stack
    told = [
        (user, attempt, name, refusal(lambda: attempt(stack.kafka.by_password(user), name)))  # noqa: B023
        for user, attempt, name, _ in REFUSED
    ]
    assert told == list(REFUSED)
    with closing(stack.kafka.admin()) as admin:
        topics = {name for name in admin.list_topics() if not name.startswith("__")}
    assert topics == {topic.name for topic in TOPICS.values()}
    records = everything(stack, *TOPICS.values())
    assert records and all(one.key != PLANTED.encode() for one in records)


def test_redis_refuses_what_is_not_in_the_row_of_a_user(proof: Proof) -> None:
    stack = proof.stack
    kept = keys(stack)
    assert kept
    forbidden: dict[str, Callable[[Client], object]] = {
        "FLUSHALL": lambda one: one.flushall(),
        "CONFIG": lambda one: one.config_set("requirepass", ""),
        "ACL": lambda one: one.acl_list(),
        "KEYS": lambda one: one.keys(),
        "another prefix": lambda one: one.get("another:key"),
        "a write there": lambda one: one.set("another:key", "x"),
    }
    for service in ("judging", "shadow", "bias", "rollout"):
        with closing(connected(stack.redis(service))) as one:
            told = {name: refusal(lambda: call(one)) for name, call in forbidden.items()}  # noqa: B023
            assert told == dict.fromkeys(forbidden, NoPermissionError.__name__), service
            foreign = "judgestream:rollout:x" if service != "rollout" else "judgestream:bias:x"
            assert refusal(lambda: one.set(foreign, "x")) == NoPermissionError.__name__  # noqa: B023
    for wrong in ({"username": "", "password": SecretStr("")}, {"password": SecretStr("wrong")}):
        settings = stack.redis("judging").model_copy(update=wrong)
        with (
            closing(connected(settings)) as one,
            pytest.raises((AuthenticationError, NoPermissionError)),
        ):
            one.get("judgestream:workers")
    # of workers that come and go, and of nobody else
    assert {name for name in keys(stack) ^ kept if not name.startswith(b"judgestream:")} == set()


def connected(settings: Redis) -> Client:
    made = client(settings)
    assert made is not None
    return made


def keys(stack: Stack) -> set[bytes]:
    """Every key that the operator sees."""
    with closing(connected(stack.redis("operator"))) as one:
        return set(one.scan_iter(count=1000))


def strangers(stack: Stack, folder: Path, group: str) -> dict[str, ClientTls]:
    """Callers without a certificate of our authority, by the error that they receive."""
    stranger = Authority(folder, name=f"stranger-{group}").client("stranger")
    return {
        f"set {group}.certificate_file": client_tls(stack.authority, None, group),
        "refuses the client certificate": client_tls(stack.authority, stranger, group),
        f"set {group}.tls to true": ClientTls(group=group),
    }


async def test_triton_refuses_strangers_and_workers_cannot_load_models(
    proof: Proof, tmp_path: Path
) -> None:
    stack = proof.stack
    address, ours = stack.triton.grpc_url, client_tls(stack.authority, stack.identity("judging"))
    async with TritonControl(address, stack.control_key, tls=ours) as control:
        before = await control.index()
        for text, tls in strangers(stack, tmp_path, "triton").items():
            async with TritonControl(address, stack.control_key, tls=tls) as stranger:
                with pytest.raises(JudgeUnavailable, match=text):
                    await stranger.index()
        for key in ("", "wrong"):
            async with TritonControl(address, SecretStr(key), tls=ours) as worker:
                for call in (worker.load, worker.unload):
                    with pytest.raises(ConfigurationError, match="CONTROL_KEY"):
                        await call(CANDIDATE)
        assert await control.index() == before


def test_the_rollout_service_refuses_strangers_and_moves_of_others(
    proof: Proof, tmp_path: Path
) -> None:
    stack = proof.stack
    with stack.calls(MOVER) as calls:
        before = calls.get()
    for text, tls in strangers(stack, tmp_path, "rollout").items():
        with (
            RolloutCalls(stack.rollout, stack.control_key, tls=tls) as calls,
            pytest.raises(RolloutUnavailable, match=text),
        ):
            calls.move("rollback", by="stranger")
    with (
        stack.calls("judging") as calls,
        pytest.raises(RolloutRefused, match=r"rollout\.movers does not allow .*judging"),
    ):
        calls.move("rollback", by="a worker")
    tls = client_tls(stack.authority, stack.identity(MOVER), "rollout")
    with (
        RolloutCalls(stack.rollout, SecretStr("wrong"), tls=tls) as calls,
        pytest.raises(RolloutRefused, match="control"),
    ):
        calls.move("rollback", by="without the key")
    with stack.calls(MOVER) as calls:
        assert calls.get().changes == before.changes


HTTP_2 = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9)
KAFKA = bytes.fromhex("0000000e 0012 0000 00000001 0004") + b"test"
"""A request for the versions of the API."""

ALERT = b"\x15\x03"
"""The first bytes of a refusal by TLS."""


def test_no_port_answers_plain_text(proof: Proof, tmp_path: Path) -> None:
    stack = proof.stack
    ports = {
        "Kafka with passwords": (f"{HOST}:{stack.kafka.port}", KAFKA),
        "Kafka with certificates": (stack.kafka.server.bootstrap, KAFKA),
        "Kafka's controller": (f"{HOST}:{stack.kafka.server.controller_port}", KAFKA),
        "Redis": (stack.store.address, b"PING\r\n"),
        "Triton": (stack.triton.grpc_url, HTTP_2),
        "rollout service": (stack.rollout, HTTP_2),
        "collector": (stack.receiver.endpoint.removeprefix("https://"), HTTP_2),
    }
    told = {name: answer_in_plain_text(*port) for name, port in ports.items()}
    assert {name: said for name, said in told.items() if said and said[:2] != ALERT} == {}
    assert stack.store.ports() == {stack.store.port}
    # the same words are answered where there is no TLS
    with ValkeyServer(data_dir=tmp_path) as plain:
        assert answer_in_plain_text(f"{HOST}:{plain.port}", b"PING\r\n")
