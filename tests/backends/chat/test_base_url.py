"""The base URL of an endpoint: accepted in one form only, and never with a key in it."""

import pytest

from judgestream.backends.chat.base_url import check_base_url
from judgestream.core.errors import ConfigurationError


@pytest.mark.parametrize(
    "url", ["http://host:8000/v1", "https://api.example.com/v1/", "http://[::1]:80/v1", "http://h"]
)
def test_a_base_url_with_or_without_port_and_path_is_accepted(url: str) -> None:
    check_base_url(url)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8000",
        "ftp://host/v1",
        "http://",
        "http://host:0/v1",
        "http://host:x",
        "http://h\n",
    ],
)
def test_anything_else_is_refused_with_an_example(url: str) -> None:
    with pytest.raises(ConfigurationError, match="invalid endpoint URL .*http://host:8000/v1"):
        check_base_url(url)


@pytest.mark.parametrize(
    "url", ["http://u:secret@host/v1", "http://host?key=secret", "http://h/#secret"]
)
def test_a_key_in_the_url_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ConfigurationError, match="--key-variable") as raised:
        check_base_url(url)
    assert "secret" not in str(raised.value)
