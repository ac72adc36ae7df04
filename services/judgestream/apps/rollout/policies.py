"""The policy of the rollout service, from its YAML file."""

from pathlib import Path

import yaml

from judgestream.core.errors import ConfigurationError
from judgestream.evaluation.gate import Policy

DEFAULT = Path(__file__).with_name("policy.yaml")
LARGEST = 64 << 10


def read_policy(path: Path | None) -> Policy:
    """The policy of the file, or the shipped one.

    Raises:
        ConfigurationError: the file cannot be read, or names the key that is wrong.
    """
    file = DEFAULT if path is None else path.expanduser()
    try:
        with file.open(encoding="utf-8-sig") as opened:
            text = opened.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ConfigurationError(f"{file} (rollout.policy) is larger than {LARGEST >> 10} KiB")
        return Policy.from_mapping(yaml.safe_load(text) or {})
    except ConfigurationError as exc:
        raise ConfigurationError(f"{file} (rollout.policy): {exc}") from exc
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as exc:
        why = getattr(exc, "strerror", None) or " ".join(str(exc).split())
        raise ConfigurationError(f"{file} (rollout.policy) cannot be read: {why}") from exc
