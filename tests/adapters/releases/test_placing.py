"""The GPUs of Triton's instances. Invalid choices are refused before anything is written."""

from typing import Any

import pytest

from judgestream.adapters.releases.placing import Placing
from judgestream.core.errors import ConfigurationError


def placing(**more: Any) -> Placing:
    fields: dict[str, Any] = {"instances": 1, "device": "gpu", "gpus": (), "group": 1}
    return Placing(**(fields | more))


@pytest.mark.parametrize(
    ("asked", "groups", "gpus"),
    [
        (placing(instances=2, device="cpu"), "{ count: 2 kind: KIND_CPU }", "all"),
        (placing(instances=2), "{ count: 2 kind: KIND_GPU }", "all"),
        (placing(group=2), "{ count: 1 kind: KIND_GPU gpus: [ 0 ] }", "0,1"),
        (
            placing(gpus=(3, 1)),
            "{ count: 1 kind: KIND_GPU gpus: [ 3 ] }, { count: 1 kind: KIND_GPU gpus: [ 1 ] }",
            "3,1",
        ),
        (
            placing(gpus=(0, 1, 2, 3), group=2),
            "{ count: 1 kind: KIND_GPU gpus: [ 0 ] }, { count: 1 kind: KIND_GPU gpus: [ 2 ] }",
            "0,1,2,3",
        ),
    ],
    ids=["cpu", "every gpu", "first group", "some gpus", "two groups"],
)
def test_each_group_has_one_instance_group_under_its_first_gpu(
    asked: Placing, groups: str, gpus: str
) -> None:
    assert asked.groups == groups
    assert asked.gpu_list == gpus


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"gpus": (0, 1, 2), "group": 2}, "GPUs 0, 1, 2 cannot be divided into groups of 2"),
        ({"gpus": (0, 0)}, "name each GPU once"),
        ({"device": "cpu", "group": 2}, "need GPUs"),
        ({"device": "cpu", "gpus": (0,)}, "need GPUs"),
        ({"group": 0}, "use 1 or more"),
    ],
)
def test_gpus_that_form_no_whole_groups_are_refused(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        placing(**wrong)
