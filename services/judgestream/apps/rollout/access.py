"""Permission to change the rollout: callers need the key to Triton's model control, where there is one, and a
certificate of a mover, where callers show certificates."""

import hmac
from collections.abc import Iterable, Mapping

from pydantic import SecretStr

from judgestream.adapters.rollout.calls import HEADER


def may_change(metadata: object, key: SecretStr) -> bool:
    """Whether the call carries the key. An empty key lets everybody in.

    Args:
        metadata: pairs of name and value, as gRPC gives them; None for none.
    """
    secret = key.get_secret_value()
    if not secret:
        return True
    pairs = [tuple(pair) for pair in metadata or ()]  # type: ignore[attr-defined]
    return any(
        name == HEADER
        and isinstance(value, str)
        and hmac.compare_digest(value.encode(), secret.encode())
        for name, value in pairs
    )


def certificate_names(auth_context: Mapping[str, Iterable[bytes]]) -> tuple[str, ...]:
    """The names in the caller's certificate, as gRPC gives them: its common name, then its alternative names.
    () for a caller without a certificate."""
    return tuple(
        name.decode(errors="replace")
        for key in ("x509_common_name", "x509_subject_alternative_name")
        for name in auth_context.get(key, ())
    )


def may_move(names: Iterable[str], movers: frozenset[str]) -> bool:
    """Whether one of the names may make moves. Without movers everybody may who could connect."""
    return not movers or not movers.isdisjoint(names)
