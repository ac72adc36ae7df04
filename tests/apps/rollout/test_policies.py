"""The policy file: errors name file, line and key; and the printed policy can be read again."""

from pathlib import Path

import pytest
import yaml

from judgestream.apps.rollout.policies import as_mapping, read_policy
from judgestream.core.errors import ConfigurationError
from judgestream.evaluation.gate import Policy


def written(folder: Path, text: str) -> Path:
    path = folder / "policy.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("alpha: 0.05\ncanary_share: 2\n", ".yaml, line 2 (rollout.policy): rollout policy: canary_sh"),
        ("#\nguards:\n  labels:\n    margin: -1\n", "4 (rollout.policy): rollout policy: guards.labels.m"),
        ("guards:\n  labels: {margin: 0.1}\n  lables: {margin: 0.1}\n", "line 3 (rollout.policy)"),
        ("canary_steps:\n- 0.5\n- x\n", "line 1 (rollout.policy): rollout policy: canary_steps[1]"),
        ("automatic: {promote: maybe}\n", "line 1 (rollout.policy): rollout policy: automatic.promote"),
        ("- a\n", "policy.yaml (rollout.policy): rollout policy: the policy is"),
        ("alpha: [\n", "cannot be read: while parsing a flow node expected the node content"),
        ("alpha: 0.1\nalpha: 0.05\n", "key 'alpha' is given twice: keep one of them"),
        ("x" * 70_000, "is larger than 64 KiB"),
    ],
    ids="abcdefghi",
)  # fmt: skip
def test_an_error_names_file_line_and_key(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as error:
        read_policy(written(tmp_path, text))
    assert message in str(error.value)
    assert str(tmp_path) in str(error.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: No such file"):
        read_policy(tmp_path / "missing.yaml")


def test_the_shipped_policy_is_the_default_and_an_empty_file_changes_nothing(
    tmp_path: Path,
) -> None:
    assert read_policy(None) == read_policy(written(tmp_path, "")) == Policy()


def test_a_printed_policy_can_be_read_again(tmp_path: Path) -> None:
    policy = read_policy(written(tmp_path, "guards: {labels: {margin: 0.1}}\ncanary_share: 0.6\n"))
    assert read_policy(written(tmp_path, yaml.safe_dump(as_mapping(policy)))) == policy
