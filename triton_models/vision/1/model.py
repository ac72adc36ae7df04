"""A judge that sees images, or an image scorer, computed by transformers (`judgestream.backends.vision`)."""

import json
import sys
from typing import Any

import triton_python_backend_utils as pb_utils


class TritonPythonModel:
    def initialize(self, args: dict[str, str]) -> None:
        """Triton reports whatever is raised here as the error of `load_model`."""
        # where the package is, if it is not installed in Triton's own Python
        path = json.loads(args["model_config"])["parameters"]["python_path"]["string_value"]
        sys.path[:0] = [path] if path else []

        from judgestream.backends import entry_points

        self._model = entry_points.vision(args, pb_utils)

    def execute(self, requests: list[Any]) -> None:
        self._model.execute(requests)

    def finalize(self) -> None:
        self._model.finalize()
