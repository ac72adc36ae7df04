"""Permission to change the rollout: callers need the key to Triton's model control, where there is one."""

import hmac

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
