"""A judge's release, read from its model configuration in Triton."""

from collections.abc import Mapping, Sequence
from typing import Any

from judgestream.adapters.triton.connection import Connection
from judgestream.adapters.triton.errors import judge_call
from judgestream.core.errors import ConfigurationError
from judgestream.core.release_parameters import release_from
from judgestream.core.types import Release

CALL_S = 10.0
MAX_NAME_BYTES = 255


def check_name(release: str) -> None:
    """Raise ConfigurationError for a name that no model directory can have."""
    if (
        not release.isprintable()
        or "/" in release
        or release in (".", "..")
        or release != release.strip()
        or len(release.encode()) > MAX_NAME_BYTES
    ):
        raise ConfigurationError(
            f"JUDGESTREAM_TRITON__RELEASE is {release[:80]!r}, which is not a valid model name;"
            " `judgestream release list` shows the releases"
        )


async def model_config(
    connection: Connection, name: str, deadline_s: float = CALL_S
) -> dict[str, Any]:
    """The model's configuration as Triton has loaded it. Raises as `judge_call` does."""
    with judge_call(name):
        async with connection.client() as client:
            answer = await client.get_model_config(name, as_json=True, client_timeout=deadline_s)
    config: dict[str, Any] = answer.get("config", {})
    return config


def parameters(config: Mapping[str, Any]) -> dict[str, str]:
    """The string parameters of a model configuration."""
    values = config.get("parameters", {})
    return {key: str(value.get("string_value", "")) for key, value in values.items()}


def release_of(name: str, config: Mapping[str, Any]) -> Release:
    """The release that the configuration describes.

    Raises:
        ConfigurationError: the model is not one of our judges.
    """
    values = parameters(config)
    try:
        return release_from(name, values)
    except (KeyError, ValueError) as exc:
        raise ConfigurationError(
            f"Triton model {name} is not a judge: parameter {exc} is missing or invalid in its"
            " config.pbtxt; install it with `judgestream release install`"
        ) from exc


async def only_judge(connection: Connection) -> str:
    """The name of the one judge that is loaded.

    Raises:
        ConfigurationError: none is loaded, or several are.
    """
    return single(await loaded_judges(connection))


async def loaded_judges(connection: Connection) -> list[str]:
    """Names of the loaded judges. Raises as `judge_call` does."""
    return [
        name
        for name in await loaded_models(connection)
        if "checkpoint_digest" in parameters(await model_config(connection, name))
    ]


async def loaded_models(connection: Connection, *, deadline_s: float = CALL_S) -> list[str]:
    """Names of all loaded models. Raises as `judge_call` does.

    Reads the statistics, which name every loaded model. The repository's index needs the control key, which a
    worker does not have.
    """
    with judge_call("(any)"):
        async with connection.client() as client:
            statistics = await client.get_inference_statistics(
                as_json=True, client_timeout=deadline_s
            )
    return sorted({str(model["name"]) for model in statistics.get("model_stats", [])})


def single(judges: Sequence[str]) -> str:
    """The only one of these judges.

    Raises:
        ConfigurationError: there is none, or there are several.
    """
    if len(judges) == 1:
        return judges[0]
    listed = ", ".join(judges) if judges else "none"
    raise ConfigurationError(
        f"set JUDGESTREAM_TRITON__RELEASE to the judge to ask (loaded and ready: {listed})"
    )
