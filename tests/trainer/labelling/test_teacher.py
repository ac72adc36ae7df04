"""A teacher's URL is held to the same rules as a release's."""

import pytest

from judgestream.backends.chat.endpoint import Endpoint
from judgestream.core.errors import ConfigurationError
from judgestream_trainer.labelling.teacher import endpoint_teacher


@pytest.mark.parametrize("url", ["host:8000/v1", "http://key@host/v1", "http://host/v1?key=1"])
def test_a_teacher_needs_a_base_url_without_a_key(url: str) -> None:
    with pytest.raises(ConfigurationError, match="endpoint URL"):
        endpoint_teacher(Endpoint(url=url, model="m"), "chat-v1")
