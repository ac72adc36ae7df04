"""`python -m tests.deploy`: the files of deploy/ against their schemas and linters, offline.

Exits 1 with one line per problem. See docs/how-to/deploy.md for the versions of the schemas.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

from tests.deploy import monitoring
from tests.deploy.compose import COMPOSE, DEPLOY, document
from tests.deploy.kustomize import render
from tests.deploy.schemas import problems_of
from tests.paths import ROOT

BIN = Path(sys.executable).parent


def compose_problems(loaded: dict[str, Any]) -> Iterator[str]:
    """Against the schema of the Compose Specification."""
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    validator = Draft202012Validator(json.loads(schema.read_text(encoding="utf-8")))
    for error in validator.iter_errors(loaded):
        yield f"{COMPOSE.relative_to(ROOT)}: {error.json_path}: {error.message}"


def dockerfile_problems(path: Path) -> Iterator[str]:
    done = subprocess.run(
        [BIN / "hadolint", "--no-color", path], capture_output=True, text=True, timeout=60
    )
    yield from done.stdout.splitlines()
    if done.returncode and not done.stdout:
        yield f"hadolint: {done.stderr.strip()}"


def kustomize_problems() -> Iterator[str]:
    """Of every overlay; what several share is checked once."""
    distinct = {
        json.dumps(resource, sort_keys=True): resource
        for overlay in sorted((DEPLOY / "kustomize" / "overlays").iterdir())
        for resource in render(overlay)
    }
    for problem in problems_of(list(distinct.values())):
        yield f"deploy/kustomize: {problem}"


def problems() -> Iterator[str]:
    yield from compose_problems(document())
    yield from dockerfile_problems(DEPLOY / "Dockerfile")
    yield from kustomize_problems()
    yield from monitoring.problems()


def main() -> int:
    found = list(problems())
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main())
