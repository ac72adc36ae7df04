"""YAML that people write: plain data of limited size, without aliases and repeated keys."""

from typing import Any

import yaml

from judgestream.core.errors import ConfigurationError

MAX_BYTES = 64 << 10


class PlainLoader(yaml.SafeLoader):
    """Refuses aliases, which can make a small file huge, and repeated keys, of which one would be ignored."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise yaml.MarkedYAMLError(
                problem="aliases are not supported: write the value out", problem_mark=mark
            )
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        for key, (key_node, _) in zip(keys, node.value, strict=True):
            if not isinstance(key, str):
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} is not text: put it in quotes",
                    problem_mark=key_node.start_mark,
                )
            if keys.count(key) > 1:
                raise yaml.MarkedYAMLError(
                    problem=f"key {key!r} is given twice: keep one of them",
                    problem_mark=key_node.start_mark,
                )
        return super().construct_mapping(node, deep)


def parsed(text: str, where: str) -> dict[str, Any]:
    """The mapping that a template file holds.

    where  names the file in errors

    Raises:
        ConfigurationError: too large, not YAML, or not a mapping.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise ConfigurationError(
            f"{where} is larger than {MAX_BYTES >> 10} KiB: shorten its texts, a template is sent with every"
            " request"
        )
    try:
        value = yaml.load(text, Loader=PlainLoader)  # noqa: S506 - a SafeLoader  # nosec B506
    except yaml.MarkedYAMLError as error:
        line = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise ConfigurationError(f"{where} is not valid YAML: {line}{error.problem}") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where} is not valid YAML: {error}") from None
    except (LookupError, AttributeError, TypeError) as error:
        # PyYAML's constructors of tagged values, such as `!!bool maybe`
        raise ConfigurationError(
            f"{where} is not valid YAML: a tagged value has not the form of its tag"
            f" ({type(error).__name__}): leave out the tags (`!!`)"
        ) from None
    if not isinstance(value, dict):
        raise ConfigurationError(
            f"{where} is not a template: it must be a mapping of keys to values"
        )
    return value
