"""Reasons for which a broker, or our check of it, refuses a connection or a call, each with how to fix it."""

import ssl

from kafka.errors import (
    AuthorizationError,
    ClusterAuthorizationFailedError,
    GroupAuthorizationFailedError,
    IllegalSaslStateError,
    SaslAuthenticationFailedError,
    TopicAuthorizationFailedError,
    UnsupportedSaslMechanismError,
)

from judgestream.adapters.tls.reasons import EXPIRED, NOT_TLS, NOT_YET_VALID, OTHER_NAMES
from judgestream.settings import Kafka

BAD_OURS = ("CERTIFICATE_EXPIRED", "CERTIFICATE_UNKNOWN", "BAD_CERTIFICATE", "UNKNOWN_CA")
RULES = "`judgestream topics acls` prints the rights of every user"


def identity(settings: Kafka) -> str:
    """Who we are to the broker, without a secret."""
    if settings.by_token:
        source = "token_file" if settings.token_file else "token_endpoint"
        return f"the user of kafka.{source}"
    if settings.login:
        return f"user {settings.username}"
    if settings.certificate_file:
        return f"the user of kafka.certificate_file {settings.certificate_file}"
    return "a user without a login"


def of_certificate(exc: ssl.SSLError, settings: Kafka, address: str) -> str:
    """Why there is no TLS connection to this address; "" if another attempt may succeed."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return _of_brokers_certificate(exc, settings, address)
    name = (exc.reason or str(exc)).upper()
    if "ALERT_CERTIFICATE_REQUIRED" in name or (
        "ALERT_HANDSHAKE_FAILURE" in name and settings.certificate_file is None
    ):
        return (
            f"the broker at {address} asks for a client certificate: set kafka.certificate_file and"
            " kafka.key_file"
        )
    if "ALERT" in name and any(one in name for one in BAD_OURS):
        return (
            f"the broker at {address} refuses kafka.certificate_file {settings.certificate_file}: renew it if"
            " it has expired; otherwise the broker must trust the authority that issued it"
        )
    if any(one in name for one in NOT_TLS):
        return (
            f"{address} does not speak TLS: correct the port in kafka.bootstrap, or kafka.security"
            f" ({settings.security})"
        )
    return ""


def _of_brokers_certificate(
    exc: ssl.SSLCertVerificationError, settings: Kafka, address: str
) -> str:
    start = f"the certificate of the broker at {address}"
    if exc.verify_code == EXPIRED:
        return f"{start} has expired: renew it on the broker"
    if exc.verify_code == NOT_YET_VALID:
        return f"{start} is not valid yet: check the clocks of this machine and of the broker"
    if exc.verify_code in OTHER_NAMES:
        return (
            f"{start} is for another name: use a name that it contains in kafka.bootstrap and in the broker's"
            " advertised.listeners, or issue it for this one"
        )
    trusted = settings.ca_file or "the system's authorities"
    return (
        f"{start} is not trusted by {trusted} ({exc.verify_message}): set kafka.ca_file to the certificate of"
        " the authority that issued it"
    )


def of_login(exc: Exception, settings: Kafka, address: str) -> str:
    """Why the broker refuses the login; "" for another error."""
    if isinstance(exc, UnsupportedSaslMechanismError):
        return (
            f"the broker at {address} does not offer {settings.sasl_mechanism}: set kafka.sasl_mechanism to"
            f" one that it does ({exc.args[0] if exc.args else 'unknown'})"
        )
    if isinstance(exc, IllegalSaslStateError):
        return (
            f"the broker at {address} takes no login on this port: set kafka.security to"
            f" {settings.security.removeprefix('SASL_')}, or correct the port in kafka.bootstrap"
        )
    if not isinstance(exc, SaslAuthenticationFailedError):
        return ""
    if settings.by_token:
        setting = (
            f"kafka.token_file {settings.token_file}"
            if settings.token_file
            else f"kafka.token_endpoint {settings.token_endpoint}"
        )
        return (
            f"the broker at {address} refuses the token of {setting}: it has expired, or the broker does not"
            " trust its issuer, or it is meant for another audience"
        )
    return (
        f"the broker at {address} refuses user {settings.username} with {settings.sasl_mechanism}: check"
        " kafka.username and kafka.password"
    )


def topic_refused(settings: Kafka, topic: str) -> str:
    return f"{identity(settings)} may not use topic {topic} in this way: grant the right ({RULES})"


def group_refused(settings: Kafka, group: str) -> str:
    return f"{identity(settings)} may not use consumer group {group}: grant Read on the group ({RULES})"


def of_right(exc: BaseException, settings: Kafka, *, topic: str = "", group: str = "") -> str:
    """Which right is missing; "" for another error."""
    if isinstance(exc, TopicAuthorizationFailedError) or (
        # of a producer whose user may write no topic at all
        "InitProducerId" in str(exc) and "AuthorizationFailed" in str(exc)
    ):
        return topic_refused(settings, topic)
    if isinstance(exc, GroupAuthorizationFailedError):
        return group_refused(settings, group)
    who = identity(settings)
    if isinstance(exc, ClusterAuthorizationFailedError):
        return f"{who} may not do this to the cluster: use a super user of the broker, or grant the right"
    if isinstance(exc, AuthorizationError):
        return f"{who} lacks a right ({type(exc).__name__}): grant it ({RULES})"
    return ""
