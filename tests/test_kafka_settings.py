"""Settings of a secured Kafka: a combination that cannot work, or is not safe, is refused by name."""

import pytest
from pydantic import ValidationError

from judgestream.core.errors import ConfigurationError
from judgestream.settings import Kafka, load

USER = {"username": "judging", "password": "hunter2"}
CERTIFICATE = {"certificate_file": "c.pem", "key_file": "k.pem"}
ENDPOINT = {"token_endpoint": "https://issuer/token", "client_id": "j", "client_secret": "hunter2"}
TOKEN = {"sasl_mechanism": "OAUTHBEARER", "token_file": "token"}


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"security": "SSL"},
        {"security": "SSL", **CERTIFICATE, "key_password": "hunter2"},
        {"security": "SASL_SSL", **USER, **CERTIFICATE},
        {"security": "SASL_SSL", **USER, "sasl_mechanism": "PLAIN"},
        {"security": "SASL_PLAINTEXT", **USER, "bootstrap": "kafka:9092"},
        {"security": "SASL_PLAINTEXT", **USER, "sasl_mechanism": "PLAIN"},
        {"security": "SASL_SSL", **TOKEN},
        {"security": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", **ENDPOINT, "scope": "s"},
    ],
)
def test_combinations_that_work(values: dict[str, str]) -> None:
    assert Kafka.model_validate(values).security == values.get("security", "PLAINTEXT")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"security": "SASL_SSL", "password": "hunter2"}, "kafka.username is empty"),
        ({"security": "SASL_SSL", "username": "judging"}, "kafka.password is empty"),
        ({"security": "SSL", "key_file": "k.pem"}, "kafka.key_file needs kafka.certificate_file"),
        ({"security": "SSL", "certificate_file": "c.pem"}, "certificate_file needs kafka.key_file"),
        ({"security": "SSL", "key_password": "hunter2"}, "without kafka.key_file"),
        (CERTIFICATE, "kafka.certificate_file needs TLS"),
        ({"ca_file": "ca.pem"}, "kafka.ca_file is set, but kafka.security is PLAINTEXT"),
        ({"security": "SASL_PLAINTEXT", **USER, "ca_file": "ca.pem"}, "without TLS"),
        ({"token_file": "token"}, "kafka.token_file is only used by OAUTHBEARER"),
        ({"security": "SASL_SSL", **USER, **ENDPOINT}, "kafka.token_endpoint is only used by"),
        ({"security": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER"}, "needs kafka.token_file or"),
        ({"security": "SASL_SSL", **TOKEN, **USER}, "are not used by OAUTHBEARER"),
        ({"security": "SASL_SSL", **TOKEN, **ENDPOINT}, "exclude each other"),
        (
            {"security": "SASL_SSL", **TOKEN, "token_file": "", **ENDPOINT, "client_id": ""},
            "needs kafka.client_id and kafka.client_secret",
        ),
        (
            {"security": "SASL_PLAINTEXT", **TOKEN, "bootstrap": "localhost:1,kafka:9092"},
            "OAUTHBEARER would send the token to localhost:1,kafka:9092 unencrypted",
        ),
        (
            {"security": "SASL_PLAINTEXT", **USER, "sasl_mechanism": "PLAIN", "bootstrap": "k:1"},
            "PLAIN would send the password to k:1 unencrypted",
        ),
        ({"token_endpoint": "http://issuer/token"}, "use https://HOST/PATH"),
        ({"token_endpoint": "https://u:hunter2@issuer/token"}, "use https://HOST/PATH"),
    ],
)
def test_combinations_that_are_refused(values: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(kafka={name: value or None for name, value in values.items() if value})
    assert message in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_pydantics_own_error_does_not_quote_a_secret() -> None:
    with pytest.raises(ValidationError) as refused:
        Kafka.model_validate({"security": "SASL_SSL", "password": "hunter2"})
    assert "hunter2" not in str(refused.value) + repr(refused.value)
