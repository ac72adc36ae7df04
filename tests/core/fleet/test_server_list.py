"""The setting `triton.grpc`: what is accepted, and what the errors say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgestream.core.errors import ConfigurationError
from judgestream.core.fleet.server_list import parse_servers
from judgestream.settings import load


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("127.0.0.1:28001", ["127.0.0.1:28001"]),
        ("triton:8001", ["triton:8001"]),
        ("a:1, b:2 ,c:3", ["a:1", "b:2", "c:3"]),
        ("a:1,a:2", ["a:1", "a:2"]),
        ("[::1]:8001", ["[::1]:8001"]),
        ("dns:///triton.judges.svc:8001", ["dns:///triton.judges.svc:8001"]),
        ("dns:///t:8001,u:8001", ["dns:///t:8001", "u:8001"]),
        ("my_host-1.example.:8001", ["my_host-1.example.:8001"]),
    ],
)
def test_what_is_accepted(text: str, entries: list[str]) -> None:
    assert list(map(str, parse_servers(text))) == entries


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "empty entry"),
        ("a:1,", "empty entry"),
        ("a", "no port"),
        ("a:0", "no port"),
        ("a:65536", "no port"),
        ("a:٣", "no port"),
        ("a:b", "no port"),
        (":8001", "is not HOST:PORT"),
        ("http://a:8001", "is not HOST:PORT"),
        ("dns://8.8.8.8/a:8001", "is not HOST:PORT"),
        ("::1:8001", "is not HOST:PORT"),
        ("[a]:8001", "is not HOST:PORT"),
        ("a b:8001", "is not HOST:PORT"),
        ("dns:///[::1]:8001", "leave out dns:///"),
        ("a:1,b:1,a:1", "a:1 is named twice"),
        (",".join(f"a:{k + 1}" for k in range(65)), "65 servers"),
    ],
)
def test_what_is_refused_names_the_entry(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        parse_servers(text)


@given(st.text(max_size=60))
def test_any_text_is_a_list_or_an_error(text: str) -> None:
    try:
        entries = parse_servers(text)
    except ValueError as exc:
        assert len(str(exc)) < 500
    else:
        assert parse_servers(",".join(map(str, entries))) == entries


def test_the_settings_refuse_it_with_its_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUDGESTREAM_TRITON__GRPC", "a:1,b")
    with pytest.raises(ConfigurationError, match=r"triton\.grpc: .*'b' has no port"):
        load(find_stack=False)
