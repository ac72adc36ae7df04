"""Every gRPC connection can use TLS: channels are made in few places, and callers pass the settings."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.paths import SERVICES, TRAINER
from tests.structure.parsed import nodes

MAKERS = {
    "InferenceServerClient": {"adapters/triton/connection.py", "local/triton.py"},
    "insecure_channel": {"adapters/rollout/calls.py"},
    "secure_channel": {"adapters/rollout/calls.py"},
    "add_insecure_port": {"apps/rollout/serving.py"},
}
"""Function -> the files that may call it. `local/triton.py` looks at a server without TLS on this machine."""

TAKE_TLS = {
    *("Connection", "Fleet", "FleetControl", "RolloutCalls", "Server", "TritonControl"),
    *("ask_known_good", "members_of", "single_judge", "smoke_judgement", "survey"),
}
"""Names whose default is plain text, so a call that forgets the settings would not use TLS."""


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, with the last part of the function's name. `X.connect` counts as X's."""
    for node in nodes(path):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name):
                    yield name, node
                case ast.Attribute(attr="connect", value=ast.Name(id="TritonJudge")):
                    yield "TritonJudge.connect", node
                case ast.Attribute(attr=name):
                    yield name, node


def sources() -> list[tuple[str, Path]]:
    package = SERVICES / "judgestream"
    return [
        (path.relative_to(root).as_posix(), path)
        for root in (package, TRAINER)
        for path in sorted(root.rglob("*.py"))
        if "/v1/" not in path.as_posix()
    ]


def test_channels_are_made_where_tls_is_known() -> None:
    makers: dict[str, set[str]] = {name: set() for name in MAKERS}
    for name, path in sources():
        text = path.read_text(encoding="utf-8")
        if not any(maker in text for maker in makers):
            continue
        for called, _ in calls(path):
            if called in makers:
                makers[called].add(name)
    assert makers == MAKERS


def test_every_caller_passes_the_settings_of_tls() -> None:
    checked, missing = 0, []
    for name, path in sources():
        text = path.read_text(encoding="utf-8")
        if "adapters.triton" not in text and "adapters.rollout" not in text:
            continue
        for called, call in calls(path):
            if called in TAKE_TLS | {"TritonJudge.connect"}:
                checked += 1
                if not any(keyword.arg == "tls" for keyword in call.keywords):
                    missing.append(f"{name}:{call.lineno} {called}")
    assert missing == []
    assert checked > 15
