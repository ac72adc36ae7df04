"""Triton's control plane: names, keys and arguments. Its calls: tests/integration/test_triton_control.py."""

import pytest
from pydantic import SecretStr

from judgestream.adapters.triton.control import ModelState, require_name, restrictions
from judgestream.core.errors import ConfigurationError


def test_a_key_restricts_everything_that_changes_the_server_on_both_protocols() -> None:
    rule = "model-repository,shared-memory,trace,logging:judgestream-control=0f1e"
    assert restrictions(SecretStr("0f1e")) == (
        f"--grpc-restricted-protocol={rule}",
        f"--http-restricted-api={rule}",
    )


def test_without_a_key_nothing_is_restricted() -> None:
    assert restrictions(SecretStr("")) == ()


@pytest.mark.parametrize(
    "name",
    ["", "..", "../x", "a/b", "a\\b", ".hidden", "-x", "a b", "a\nb", "ä", "a" * 129, "$(id)"],
)
def test_an_invalid_release_name_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match="is not the name of a release"):
        require_name(name)


@pytest.mark.parametrize("name", ["judgelm-0a1b2c3d", "judgelm_vllm-0a1b2c3d-engine", "instant"])
def test_valid_release_names_pass(name: str) -> None:
    require_name(name)


def test_only_ready_is_ready() -> None:
    assert ModelState(name="a", state="READY").ready
    assert not any(ModelState(name="a", state=s).ready for s in ("", "LOADING", "UNAVAILABLE"))
