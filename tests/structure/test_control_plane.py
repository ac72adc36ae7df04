"""Only the control plane loads, unloads or reloads models: the data path asks and reports."""

import ast

from tests.paths import ROOT, SERVICES
from tests.structure.imports import imports, within
from tests.structure.parsed import nodes

PACKAGE = SERVICES / "judgestream"
CONTROL = "judgestream.adapters.triton.control"
FLEET = "judgestream.adapters.triton.fleet_control"
MAY_CONTROL = {
    "adapters/triton/fleet_control.py",
    "apps/rollout/finding.py",
    "apps/rollout/server_healers.py",
    "apps/rollout/server_healing.py",
    "apps/rollout/connections.py",
    # a person at the command line, and the start of a Triton, which gives it the key
    "apps/cli/release/place.py",
    "apps/cli/triton/serve.py",
    "apps/machine/servers.py",
}
CHANGES_MODELS = {"load_model", "unload_model", "get_model_repository_index"}


def test_only_the_rollout_service_and_the_command_line_control_models() -> None:
    importers = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(within(module, CONTROL, FLEET) for module in imports(path))
    }
    assert importers == MAY_CONTROL


def test_only_the_control_adapter_calls_tritons_repository() -> None:
    callers = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if any(name in path.read_text(encoding="utf-8") for name in CHANGES_MODELS)
        for node in nodes(path)
        if isinstance(node, ast.Attribute) and node.attr in CHANGES_MODELS
    }
    assert callers == {"adapters/triton/control.py"}, f"under {PACKAGE.relative_to(ROOT)}"
