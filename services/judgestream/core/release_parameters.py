"""A release as the string parameters of its Triton model. Every worker reads its template from there."""

import json
from collections.abc import Mapping

from judgestream.core.types import Release


def written(release: Release) -> dict[str, str]:
    """The parameters. Texts are JSON, so that no line break and no control character is in them."""
    return {
        "checkpoint_digest": release.checkpoint_digest,
        "template_id": release.template_id,
        "max_input_tokens": str(release.max_input_tokens),
        "template": json.dumps(release.template),
        "control_tokens": json.dumps(list(release.control_tokens)),
    }


def release_from(name: str, parameters: Mapping[str, str]) -> Release:
    """The release. Releases that were installed before templates came in files have the first three only.

    Raises:
        KeyError: one of these three is missing.
        ValueError: one is not valid; the message is its name.
    """
    try:
        limit = int(parameters["max_input_tokens"])
    except ValueError:
        raise ValueError("max_input_tokens") from None
    template = _json(parameters, "template", "")
    control = _json(parameters, "control_tokens", [])
    if not isinstance(template, str):
        raise ValueError("template")
    if not isinstance(control, list) or not all(isinstance(one, str) and one for one in control):
        raise ValueError("control_tokens")
    return Release(
        name=name,
        checkpoint_digest=parameters["checkpoint_digest"],
        template_id=parameters["template_id"],
        max_input_tokens=limit,
        template=template,
        control_tokens=tuple(control),
    )


def _json(parameters: Mapping[str, str], name: str, default: object) -> object:
    text = parameters.get(name, "")
    try:
        return json.loads(text) if text else default
    except (ValueError, RecursionError):
        raise ValueError(name) from None
