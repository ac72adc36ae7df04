"""The policy of the rollout service, from its YAML file."""

import re
from dataclasses import asdict, fields
from pathlib import Path

import yaml

from judgestream.core.errors import ConfigurationError
from judgestream.evaluation.gate import Policy
from judgestream.template_files.yaml_text import PlainLoader

DEFAULT = Path(__file__).with_name("policy.yaml")
LARGEST = 64 << 10


def read_policy(path: Path | None) -> Policy:
    """The policy of the file, or the shipped one.

    Raises:
        ConfigurationError: the file cannot be read, or a value is wrong; it names file, line and key.
    """
    file = DEFAULT if path is None else path.expanduser()
    try:
        with file.open(encoding="utf-8-sig") as opened:
            text = opened.read(LARGEST + 1)
        if len(text) > LARGEST:
            raise ConfigurationError(f"{file} (rollout.policy) is larger than {LARGEST >> 10} KiB")
        data = yaml.load(text, Loader=PlainLoader) or {}  # noqa: S506 - a SafeLoader  # nosec B506
    except (OSError, ValueError, yaml.YAMLError, RecursionError) as exc:
        why = getattr(exc, "strerror", None) or " ".join(str(exc).split())
        raise ConfigurationError(f"{file} (rollout.policy) cannot be read: {why}") from exc
    try:
        return Policy.from_mapping(data)
    except ConfigurationError as exc:
        line = _line_of(text, str(exc))
        place = f"{file}, line {line}" if line else str(file)
        raise ConfigurationError(f"{place} (rollout.policy): {exc}") from exc


def as_mapping(policy: Policy) -> dict[str, object]:
    """The policy as `Policy.from_mapping` reads it, with every default filled in."""
    written: dict[str, object] = {
        "guards": {name: asdict(rule) for name, rule in policy.guards.items()},
        "automatic": asdict(policy.automatic),
        "canary_steps": list(policy.canary_steps),
    }
    return {one.name: written.get(one.name, getattr(policy, one.name)) for one in fields(policy)}


def _line_of(text: str, message: str) -> int:
    """The line of the key that a message of `Policy.from_mapping` names; 0 where it is not in the file."""
    named = re.match(r"rollout policy: (\S+)(?: '(\w+)' is unknown)?", message)
    if named is None:
        return 0
    keys = [*named[1].split("."), *filter(None, [named[2]])]
    node, line = yaml.compose(text, Loader=yaml.SafeLoader), 0
    for key in keys:
        if not isinstance(node, yaml.MappingNode):
            break
        for name, value in node.value:
            if name.value == key.partition("[")[0]:
                node, line = value, name.start_mark.line + 1
    return line
