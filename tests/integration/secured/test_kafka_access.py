"""A Kafka with TLS, logins and access rules: what each user may do, and what every refusal says."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import monotonic

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from judgestream.adapters.kafka.failures import no_broker
from judgestream.adapters.kafka.group import GroupReader
from judgestream.adapters.kafka.publishing import RecordPublisher, RequestPublisher
from judgestream.adapters.kafka.reading import TopicReader
from judgestream.adapters.kafka.topics import admin, check
from judgestream.apps.cli import main
from judgestream.client import pair
from judgestream.contracts.access import USERS
from judgestream.contracts.topics import REQUESTS, TOPICS, VERDICTS
from judgestream.core.errors import AccessDenied, ConfigurationError
from judgestream.settings import Kafka
from judgestream.terminal.exit_codes import ExitCode
from judgestream.v1.judging_pb2 import JudgeRequest, Verdict
from tests.integration.cluster import Cluster, Servers, wait
from tests.integration.secured.certificates import Authority
from tests.integration.secured.kafka import SecuredKafka, secured_kafka, variables
from tests.integration.secured.tokens import TokenIssuer

pytestmark = pytest.mark.integration

SOON_S = 8.0
"""A refusal is reported before this. Without a check of the login, clients retry for 10 s."""

LIFE_S, RENEW_S = 8.0, 2.0


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    with secured_kafka(tmp_path_factory.mktemp("secured")) as kafka:
        yield kafka


def publish(settings: Kafka, *names: str) -> None:
    with RequestPublisher(settings) as publisher:
        for name in names:
            publisher.submit(pair("q", "a", "b", request_id=name))


def requests(settings: Kafka) -> set[str]:
    """The ids on the request topic."""
    with TopicReader(settings, REQUESTS, JudgeRequest) as reader:
        until = reader.end()
        return {
            one.message.request_id
            for one in reader.read(reader.beginning(), until=until, deadline_s=10)
            if isinstance(one.message, JudgeRequest)
        }


WAYS: dict[str, Callable[[SecuredKafka, str], Kafka]] = {
    "password": SecuredKafka.by_password,
    "certificate": SecuredKafka.by_certificate,
    "token": SecuredKafka.by_token,
}


@pytest.mark.parametrize("way", WAYS)
def test_a_producer_publishes_and_the_operator_reads(secured: SecuredKafka, way: str) -> None:
    publish(WAYS[way](secured, "producer"), f"by-{way}")
    operator = WAYS[way](secured, "operator")
    assert f"by-{way}" in requests(operator)
    with closing(admin(operator)) as client:
        assert check(client) == []


def wrong_password(kafka: SecuredKafka) -> Kafka:
    return kafka.by_password("producer", password="wrong-secret")


def wrong_mechanism(kafka: SecuredKafka) -> Kafka:
    return kafka.by_password("producer", sasl_mechanism="SCRAM-SHA-256")


def other_authority(kafka: SecuredKafka) -> Kafka:
    return kafka.by_password("producer", ca_file=Authority(kafka.folder / "other").file)


def other_name(kafka: SecuredKafka) -> Kafka:
    return kafka.by_password("producer", bootstrap=f"localhost:{kafka.port}")


def no_certificate(kafka: SecuredKafka) -> Kafka:
    return Kafka(bootstrap=kafka.server.bootstrap, security="SSL", ca_file=kafka.authority.file)


def expired_certificate(kafka: SecuredKafka) -> Kafka:
    expired = kafka.authority.client("expired", expired=True)
    return kafka.by_certificate(
        "producer", certificate_file=expired.certificate, key_file=expired.key
    )


def foreign_token(kafka: SecuredKafka) -> Kafka:
    file = kafka.folder / "foreign.token"
    file.write_text(TokenIssuer(kafka.folder, name="foreign").token("judgestream-producer"))
    return kafka.by_token("producer", token_file=file)


def expired_token(kafka: SecuredKafka) -> Kafka:
    file = kafka.folder / "expired.token"
    file.write_text(kafka.issuer.token("judgestream-producer", life_s=-300))
    return kafka.by_token("producer", token_file=file)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            wrong_password,
            "refuses user judgestream-producer .*: check kafka.username and kafka.pass",
        ),
        (wrong_mechanism, r"does not offer SCRAM-SHA-256: .* \(OAUTHBEARER, SCRAM-SHA-512\)"),
        (other_authority, "is not trusted by .*: set kafka.ca_file"),
        (other_name, "is for another name: use a name that it contains in kafka.bootstrap"),
        (no_certificate, "asks for a client certificate: set kafka.certificate_file"),
        (expired_certificate, "refuses kafka.certificate_file .*: renew it if it has expired"),
        (foreign_token, "refuses the token of kafka.token_file"),
        (expired_token, "refuses the token of kafka.token_file .*: it has expired"),
    ],
)
def test_a_refused_login_names_the_setting_soon(
    secured: SecuredKafka, settings: Callable[[SecuredKafka], Kafka], message: str
) -> None:
    wrong = settings(secured)
    began = monotonic()
    with pytest.raises(AccessDenied, match=message) as refused:
        RequestPublisher(wrong)
    assert monotonic() - began < SOON_S
    with pytest.raises(AccessDenied, match=message):
        TopicReader(wrong, VERDICTS, Verdict)
    with pytest.raises(AccessDenied, match=message):
        admin(wrong)
    shown = str(refused.value) + repr(wrong)
    assert secrets_of(wrong).isdisjoint(re.split(r"[\s'=]+", shown))


def secrets_of(settings: Kafka) -> set[str]:
    values = {
        value.get_secret_value()
        for name in Kafka.model_fields
        if isinstance(value := getattr(settings, name), SecretStr)
    }
    if settings.token_file is not None:
        values.add(settings.token_file.read_text())
    return values - {""}


def test_a_port_of_another_protocol_is_named(secured: SecuredKafka) -> None:
    plain = Kafka(bootstrap=secured.server.bootstrap)
    failed = str(no_broker(plain, TimeoutError("no answer")))
    assert "if its port expects TLS, set kafka.security" in failed
    no_login = Kafka(
        bootstrap=f"127.0.0.1:{secured.port}", security="SSL", ca_file=secured.authority.file
    )
    failed = str(no_broker(no_login, TimeoutError("no answer")))
    assert "if it expects a login, set kafka.security to SASL_SSL" in failed


def test_a_user_may_not_do_what_its_row_does_not_say(secured: SecuredKafka) -> None:
    verdict_writer = secured.by_password("consumer")
    with pytest.raises(AccessDenied, match=r"may not use topic judge\.verdicts\.v1 in this way"):
        with RecordPublisher(verdict_writer) as publisher:
            publisher.send(VERDICTS.name, key=b"k", value=b"v", headers=())
    with pytest.raises(ConfigurationError, match="is missing, or this user may not see it"):
        TopicReader(secured.by_password("producer", connect_timeout_s=1.0), VERDICTS, Verdict)
    consumer = secured.by_password("consumer")
    with GroupReader(consumer, VERDICTS, Verdict, group="judgestream-judging") as member:
        with pytest.raises(AccessDenied, match="may not use consumer group judgestream-judging"):
            member.poll(5.0)
    with GroupReader(consumer, VERDICTS, Verdict, group="consumer-test") as member:
        assert member.poll(1.0) == []


def test_rules_are_added_once_and_by_a_super_user_only(
    secured: SecuredKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ("topics", "acls", "--apply")
    done = command(secured.super_user(), monkeypatch, *arguments)
    assert (done.exit_code, done.output) == (0, "all rules are there\n")
    # Write and Describe
    secured.revoke(USERS["trainer"], "judge.checkpoints.v1")
    done = command(secured.super_user(), monkeypatch, *arguments)
    assert done.output == "2 rules added, the others were there\n"
    done = command(secured.by_password("operator"), monkeypatch, *arguments)
    assert done.exit_code == ExitCode.USAGE
    assert "may not see or change access rules: use a super user" in done.stderr


def test_commands_name_the_login_that_is_wrong(
    secured: SecuredKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = secured.by_password("operator", password="wrong-secret")
    for arguments in (("doctor",), ("topics", "check"), ("dlq", "list")):
        done = command(wrong, monkeypatch, *arguments)
        told = " ".join((done.output + done.stderr).split())
        assert done.exit_code == ExitCode.USAGE, arguments
        assert "refuses user judgestream-operator" in told, arguments
        assert "wrong-secret" not in told
    right = command(secured.by_password("operator"), monkeypatch, "topics", "check")
    assert right.output == f"all {len(TOPICS)} topics are as specified\n"


def command(settings: Kafka, monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Result:
    with monkeypatch.context() as patch:
        for name, value in variables(settings).items():
            patch.setenv(name, value)
        return CliRunner().invoke(main, list(arguments))


@contextmanager
def renewed(secured: SecuredKafka, user: str) -> Iterator[None]:
    """The user's token is replaced every `RENEW_S`."""
    stop = threading.Event()

    def renew() -> None:
        while not stop.wait(RENEW_S):
            secured.renew_token(user, life_s=LIFE_S)

    thread = threading.Thread(target=renew)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(timeout=10)


class Seen:
    """Verdicts as a consumer reads them."""

    def __init__(self, settings: Kafka) -> None:
        self._reader = TopicReader(settings, VERDICTS, Verdict)
        self._reader.seek(self._reader.end())
        self.ids: list[str] = []

    def wait(self, tag: str, count: int, *, seconds: float) -> int:
        """The number of verdicts of this tag, once it is `count` or the time is up."""
        deadline = monotonic() + seconds
        while self.of(tag) < count and monotonic() < deadline:
            for one in self._reader.poll(0.2):
                assert isinstance(one.message, Verdict)
                self.ids.append(one.message.request_id)
        return self.of(tag)

    def of(self, tag: str) -> int:
        return sum(name.startswith(f"{tag}-") for name in self.ids)

    def close(self) -> None:
        self._reader.close()


LOST = (
    (
        "no-write",
        "judge.verdicts.v1",
        "may not publish to topic judge.verdicts.v1: grant Write on it",
    ),
    (
        "no-read",
        "judge.requests.v1",
        "paused: the user of kafka.token_file may not use topic judge.req",
    ),
    (
        "no-group",
        "judgestream-judging",
        "may not use consumer group judgestream-judging: grant Read",
    ),
)
"""Rights that the worker loses, each with the tag of the requests meanwhile and what its log says."""


def test_a_worker_renews_its_token_and_waits_for_rights_that_it_loses(
    secured: SecuredKafka, servers: Servers, tmp_path: Path
) -> None:
    count = 12
    log = tmp_path / "judging-0.log"
    settings = secured.by_token("judging", life_s=LIFE_S)
    more = {
        name.removeprefix("JUDGESTREAM_").lower(): value
        for name, value in variables(settings).items()
    }
    cluster = Cluster(
        folder=tmp_path,
        kafka=secured.server,
        valkey=servers.valkey,
        triton=servers.triton,
        more=dict(more),
    )
    producer = secured.by_password("producer")
    with closing(Seen(secured.by_certificate("consumer"))) as seen, renewed(secured, "judging"):
        try:
            worker = cluster.work("judging")
            began = monotonic()
            for tag, right, says in LOST:
                secured.revoke(USERS["judging"], right)
                if tag != "no-write":  # nothing is written before there is something to judge
                    wait(lambda: says in log.read_text(), what=f"{says} in {log}", seconds=30)  # noqa: B023
                publish(producer, *(f"{tag}-{k}" for k in range(count)))
                if tag != "no-group":  # records still come until the partitions are revoked
                    assert seen.wait(tag, count, seconds=2) < count
                worker.check()
                secured.grant([USERS["judging"]])
                assert seen.wait(tag, count, seconds=40) == count, tag
                assert says in log.read_text()
            # with a token that was valid for LIFE_S only
            publish(producer, *(f"later-{k}" for k in range(count)))
            assert seen.wait("later", count, seconds=20) == count
            assert monotonic() - began > LIFE_S
            # before the stop: uvloop logs a traceback when a TLS connection is closed at both ends at once
            told = log.read_text()
        finally:
            cluster.stop_workers()
    judged = [name for name in seen.ids if not name.startswith("by-")]  # of the tests before
    assert len(judged) == len(set(judged)) == 4 * count
    assert "working again" in told
    assert "eyJ" not in told  # as every token starts
    assert "Traceback" not in told
