"""The arguments that Triton passes to a model, parsed."""

import json
from pathlib import Path

from judgestream.backends.model_arguments import ModelArguments


def test_arguments_are_parsed() -> None:
    config = {
        "parameters": {"threads": {"string_value": "2"}},
        "model_transaction_policy": {"decoupled": True},
    }
    arguments = ModelArguments.of(
        {
            "model_name": "judge",
            "model_version": "1",
            "model_instance_kind": "GPU",
            "model_instance_device_id": "3",
            "model_repository": "/models/judge",
            "model_config": json.dumps(config),
        }
    )
    assert arguments == ModelArguments(
        name="judge",
        version="1",
        kind="GPU",
        device_id=3,
        folder=Path("/models/judge/1"),
        parameters={"threads": "2"},
        decoupled=True,
    )
    assert arguments.labels == {"model": "judge", "version": "1"}
