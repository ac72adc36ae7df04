"""Who may make moves, what is recorded about them, and where the service may listen without TLS."""

import pytest

from judgestream.apps.rollout.access import certificate_names, may_move
from judgestream.apps.rollout.api import signed
from judgestream.apps.rollout.serving import require_local
from judgestream.core.errors import ConfigurationError
from judgestream.core.limits import ID


def test_the_names_of_a_certificate() -> None:
    context = {
        "x509_common_name": [b"ops"],
        "x509_subject_alternative_name": [b"ops.example", b"10.0.0.7"],
        "transport_security_type": [b"ssl"],
    }
    assert certificate_names(context) == ("ops", "ops.example", "10.0.0.7")
    assert certificate_names({"transport_security_type": [b"ssl"]}) == ()
    assert certificate_names({"x509_common_name": [b"\xff"]}) == ("�",)


def test_movers_are_found_by_any_name() -> None:
    assert may_move(("ops", "ops.example"), frozenset({"ops.example"}))
    assert not may_move(("worker",), frozenset({"ops"}))
    assert not may_move((), frozenset({"ops"}))
    assert may_move((), frozenset())


def test_the_record_of_a_move_names_the_certificate_whatever_the_caller_says() -> None:
    assert signed(" ana ", ("ops", "ops.example")) == "ana (certificate ops)"
    assert signed("ana", ()) == "ana"
    long = signed("a" * 600, ("o" * 600,))
    assert len(long.encode()) <= ID
    assert " (certificate ooo" in long


@pytest.mark.parametrize(
    "address", ["127.0.0.1:28003", "localhost:28003", "[::1]:28003", "unix:/run/x.sock"]
)
def test_this_machine_needs_no_tls(address: str) -> None:
    require_local(address, allowed=False)
    require_local("0.0.0.0:28003", allowed=True)


@pytest.mark.parametrize("address", ["0.0.0.0:28003", "[::]:28003", "10.0.0.7:1", "rollout:28003"])
def test_others_reach_the_service_by_tls_only(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"rollout\.server_certificate_file"):
        require_local(address, allowed=False)
