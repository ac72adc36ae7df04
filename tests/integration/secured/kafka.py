"""A Kafka that asks who is there: TLS, logins by certificate, password and token, and access rules.

Two listeners. On SSL the broker requires a client certificate, and its CN is the user. SASL_SSL is for SCRAM
passwords and signed tokens. Only the broker itself is a super user. The users are those of
`contracts/access.py`.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

from kafka import KafkaAdminClient
from kafka.admin import (
    ConfigResource,
    ConfigResourceType,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from kafka.errors import RequestTimedOutError

from judgestream.adapters.kafka.access_rules import add, rules
from judgestream.adapters.kafka.connection import client_options
from judgestream.adapters.kafka.greeting import greet
from judgestream.adapters.kafka.topics import apply
from judgestream.contracts.access import USERS, User
from judgestream.core.errors import AccessDenied
from judgestream.local.kafka import Access, KafkaServer
from judgestream.local.kafka_config import NODE_ID
from judgestream.local.ports import HOST, free_port
from judgestream.settings import Kafka
from tests.integration.secured.certificates import Authority
from tests.integration.secured.tokens import AUDIENCE, ISSUER, TokenIssuer

BROKER = "broker"
OAUTH = "org.apache.kafka.common.security.oauthbearer"
LISTENER = "listener.name.sasl_ssl"


@dataclass(frozen=True, kw_only=True)
class SecuredKafka:
    """The running broker and what its clients need."""

    server: KafkaServer
    port: int
    """Of the SASL_SSL listener."""
    folder: Path
    authority: Authority
    issuer: TokenIssuer
    passwords: dict[str, str] = field(repr=False)
    """By user, as in `USERS`."""

    def by_password(self, user: str, **changes: Any) -> Kafka:
        values = {
            "bootstrap": f"{HOST}:{self.port}",
            "security": "SASL_SSL",
            "username": USERS[user].full_name,
            "password": self.passwords[user],
            "ca_file": self.authority.file,
        }
        return Kafka.model_validate(values | changes)

    def by_certificate(self, user: str, **changes: Any) -> Kafka:
        """With a new certificate of this user."""
        return self._mutual(USERS[user].full_name, **changes)

    def by_token(self, user: str, *, life_s: float = 600.0, **changes: Any) -> Kafka:
        """With a new token of this user, in a file."""
        values = {
            "bootstrap": f"{HOST}:{self.port}",
            "security": "SASL_SSL",
            "sasl_mechanism": "OAUTHBEARER",
            "token_file": self.renew_token(user, life_s=life_s),
            "ca_file": self.authority.file,
        }
        return Kafka.model_validate(values | changes)

    def renew_token(self, user: str, *, life_s: float) -> Path:
        """Replace the user's token file, as the kubelet does."""
        file = self.folder / f"{user}.token"
        aside = self.folder / f"{user}.token.new"
        aside.write_text(self.issuer.token(USERS[user].full_name, life_s=life_s))
        return aside.replace(file)

    def super_user(self) -> Kafka:
        return self._mutual(BROKER)

    def admin(self) -> KafkaAdminClient:
        """A client of the super user."""
        return KafkaAdminClient(**client_options(self.super_user()))

    def renew_certificate(self) -> None:
        """Give both listeners a new certificate, as kafka-configs.sh does. It is shown a moment later."""
        renewed = _key_store(self.authority, "renewed")
        names = [f"listener.name.{one}.ssl.keystore.location" for one in ("ssl", "sasl_ssl")]
        resource = ConfigResource(
            ConfigResourceType.BROKER, str(NODE_ID), dict.fromkeys(names, str(renewed))
        )
        deadline = monotonic() + 60
        with closing(self.admin()) as client:
            while True:
                try:
                    done = client.alter_configs([resource], raise_on_unknown=False)
                    break
                except RequestTimedOutError:  # a busy controller; the same change again is harmless
                    assert monotonic() < deadline, "Kafka does not take its renewed certificate"
        assert done == {"broker": {str(NODE_ID): "OK"}}, done

    def grant(self, users: Iterable[User]) -> None:
        """Add the rights of the users that are missing."""
        with closing(self.admin()) as client:
            add(client, rules(users))

    def revoke(self, user: User, *names: str) -> None:
        """Take the user's rights on the topics and groups of these names away."""
        acls = [acl for rule in rules([user]) if rule.right.name in names for acl in rule.acls()]
        assert acls, names
        with closing(self.admin()) as client:
            client.delete_acls(acls)

    def _mutual(self, common_name: str, **changes: Any) -> Kafka:
        issued = self.authority.client(common_name)
        values = {
            "bootstrap": self.server.bootstrap,
            "security": "SSL",
            "ca_file": self.authority.file,
            "certificate_file": issued.certificate,
            "key_file": issued.key,
        }
        return Kafka.model_validate(values | changes)


def variables(settings: Kafka) -> dict[str, str]:
    """The environment that gives a process these settings."""
    return {
        f"JUDGESTREAM_KAFKA__{name.upper()}": (
            value.get_secret_value() if hasattr(value, "get_secret_value") else str(value)
        )
        for name in settings.model_fields_set
        if (value := getattr(settings, name)) is not None
    }


@contextmanager
def secured_kafka(folder: Path, *, reauthenticate_s: float = 0.0) -> Iterator[SecuredKafka]:
    """Start the broker, make the topics, and create every user with a password and the table's rights.

    reauthenticate_s  the broker ends a session of a password or token after this time; 0: never, or at the
                      token's end
    """
    authority = Authority(folder / "certificates")
    issuer = TokenIssuer(folder)
    port, sasl_port, controller_port = free_port(), free_port(), free_port()
    own = authority.client(BROKER)
    start = Kafka(
        bootstrap=f"{HOST}:{port}",
        security="SSL",
        ca_file=authority.file,
        certificate_file=own.certificate,
        key_file=own.key,
    )
    options = client_options(start)
    options.pop("bootstrap_servers")
    changes = _properties(authority, issuer, port, sasl_port, controller_port)
    if reauthenticate_s:
        changes["connections.max.reauth.ms"] = int(reauthenticate_s * 1000)
    access = Access(
        properties=changes,
        flags=(f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={issuer.key_set.as_uri()}",),
        client=options,
    )
    with KafkaServer(
        data_dir=folder / "kafka", port=port, controller_port=controller_port, access=access
    ) as server:
        kafka = SecuredKafka(
            server=server,
            port=sasl_port,
            folder=folder,
            authority=authority,
            issuer=issuer,
            passwords={name: secrets.token_urlsafe(12) for name in USERS},
        )
        with closing(kafka.admin()) as client:
            apply(client, start)
            client.alter_user_scram_credentials(
                [
                    UserScramCredentialUpsertion(
                        USERS[name].full_name, ScramMechanism.SCRAM_SHA_512, password
                    )
                    for name, password in kafka.passwords.items()
                ]
            )
            add(client, rules(USERS.values()))
        _await_users(kafka)
        yield kafka


def _await_users(kafka: SecuredKafka, seconds: float = 20.0) -> None:
    """A broker learns of new passwords a moment after its controller."""
    deadline = monotonic() + seconds
    for name in kafka.passwords:
        while True:
            try:
                greet(kafka.by_password(name))
                break
            except AccessDenied:
                assert monotonic() < deadline, f"user {name} cannot log in after {seconds:g} s"
                sleep(0.05)


def _key_store(authority: Authority, name: str) -> Path:
    """A new certificate of the listeners, as Kafka wants it."""
    issued = authority.server(BROKER + "-listeners", hosts=(HOST,), common_name=BROKER)
    store = authority.folder / f"broker.{name}.store.pem"
    store.touch(mode=0o600)
    store.write_text(issued.both)
    return store


def _properties(
    authority: Authority, issuer: TokenIssuer, port: int, sasl_port: int, controller_port: int
) -> dict[str, object]:
    return {
        "listeners": (
            f"SSL://{HOST}:{port},SASL_SSL://{HOST}:{sasl_port},CONTROLLER://{HOST}:{controller_port}"
        ),
        "advertised.listeners": f"SSL://{HOST}:{port},SASL_SSL://{HOST}:{sasl_port}",
        "listener.security.protocol.map": "CONTROLLER:SSL,SSL:SSL,SASL_SSL:SASL_SSL",
        "inter.broker.listener.name": "SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": _key_store(authority, "first"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": authority.file,
        "ssl.client.auth": "required",
        f"{LISTENER}.ssl.client.auth": "none",
        "ssl.principal.mapping.rules": "RULE:^.*CN=([^,]+).*$/$1/,DEFAULT",
        f"{LISTENER}.sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
        f"{LISTENER}.scram-sha-512.sasl.jaas.config": (
            "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        ),
        f"{LISTENER}.oauthbearer.sasl.jaas.config": f"{OAUTH}.OAuthBearerLoginModule required;",
        f"{LISTENER}.oauthbearer.sasl.server.callback.handler.class": (
            f"{OAUTH}.OAuthBearerValidatorCallbackHandler"
        ),
        "sasl.oauthbearer.jwks.endpoint.url": issuer.key_set.as_uri(),
        "sasl.oauthbearer.expected.audience": AUDIENCE,
        "sasl.oauthbearer.expected.issuer": ISSUER,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": f"User:{BROKER}",
    }
