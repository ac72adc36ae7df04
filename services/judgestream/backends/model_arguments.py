"""The arguments of a model's `initialize` in Triton's Python backend, parsed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelArguments:
    """One instance of a model.

    kind, device_id  "CPU" or "GPU", and the GPU that Triton assigned to the instance
    folder           of the model's version, beside model.py
    parameters       the strings of config.pbtxt
    decoupled        the model may send several responses per request
    """

    name: str
    version: str
    kind: str
    device_id: int
    folder: Path
    parameters: Mapping[str, str]
    decoupled: bool

    @classmethod
    def of(cls, args: Mapping[str, str]) -> Self:
        config: dict[str, Any] = json.loads(args["model_config"])
        return cls(
            name=args["model_name"],
            version=args["model_version"],
            kind=args["model_instance_kind"],
            device_id=int(args["model_instance_device_id"]),
            folder=Path(args["model_repository"]) / args["model_version"],
            parameters={key: value["string_value"] for key, value in config["parameters"].items()},
            decoupled=config.get("model_transaction_policy", {}).get("decoupled", False),
        )

    @property
    def labels(self) -> dict[str, str]:
        """Labels of the model's metrics."""
        return {"model": self.name, "version": self.version}
