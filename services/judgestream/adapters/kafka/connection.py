"""The Kafka settings as arguments of each client library."""

import ssl
from typing import Any

from judgestream.core.errors import ConfigurationError
from judgestream.settings import Kafka


def tls_context(settings: Kafka) -> ssl.SSLContext | None:
    """None when the connection is plain text."""
    if settings.security not in ("SSL", "SASL_SSL"):
        return None
    try:
        return ssl.create_default_context(cafile=settings.ca_file)
    except (OSError, ssl.SSLError) as exc:
        raise ConfigurationError(
            f"kafka.ca_file {settings.ca_file} cannot be used ({exc}): set it to a PEM file of certificates"
        ) from exc


def client_options(settings: Kafka) -> dict[str, Any]:
    """For kafka-python and aiokafka, which share these names."""
    options: dict[str, Any] = {
        "bootstrap_servers": [part.strip() for part in settings.bootstrap.split(",")],
        "security_protocol": settings.security,
        "ssl_context": tls_context(settings),
    }
    if settings.security.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.username,
            "sasl_plain_password": settings.password.get_secret_value(),
        }
    return options


def faust_options(settings: Kafka) -> dict[str, Any]:
    """For `faust.App`."""
    import faust

    brokers = ";".join(f"kafka://{part.strip()}" for part in settings.bootstrap.split(","))
    options: dict[str, Any] = {"broker": brokers}
    context = tls_context(settings)
    if settings.security.startswith("SASL"):
        options["broker_credentials"] = faust.SASLCredentials(
            username=settings.username,
            password=settings.password.get_secret_value(),
            mechanism=settings.sasl_mechanism,
            ssl_context=context,
        )
    elif context is not None:
        options["broker_credentials"] = faust.SSLCredentials(context)
    return options
