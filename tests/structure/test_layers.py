"""The direction of imports: one table with a row for every package, read from the import statements.

A row names the packages that its own may import besides itself. The table is total: a package without a
row fails, and so does a row without a package. Rows stand below everything that they import, so a circle
cannot be written down.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.paths import ROOT, SERVICES, TRAINER
from tests.structure.imports import imports, within

J, T = "judgestream", "judgestream_trainer"

BASE = {
    f"{J}.v1": (),
    f"{J}.core": (),
    f"{J}.template_files": (f"{J}.core",),
    f"{J}.terminal": (f"{J}.core",),
    f"{J}.images": (f"{J}.core",),
    f"{J}.evaluation": (f"{J}.core",),
    f"{J}.checkpoints": (f"{J}.core", f"{J}.template_files"),
    f"{J}.contracts": (f"{J}.core", f"{J}.v1"),
    f"{J}.process_health": (),
    f"{J}.metrics_endpoint": (f"{J}.core", f"{J}.process_health"),
    f"{J}.engine": (f"{J}.core", f"{J}.template_files", f"{J}.checkpoints"),
    f"{J}.backends": (
        *(f"{J}.core", f"{J}.template_files", f"{J}.checkpoints", f"{J}.engine", f"{J}.images"),
        *(f"{J}.contracts.triton_interface", f"{J}.contracts.recording"),
    ),
    f"{J}.dashboards": (f"{J}.evaluation",),
    f"{J}.suites": (f"{J}.core", f"{J}.evaluation"),
    f"{J}.local": (f"{J}.core",),
    f"{J}.settings": (f"{J}.core", f"{J}.local.running"),
    f"{J}.telemetry": (f"{J}.core", f"{J}.settings"),
}
DATA = (f"{J}.core", f"{J}.contracts", f"{J}.v1", f"{J}.settings")
TLS_FILES = (f"{J}.adapters.tls.files", f"{J}.adapters.tls.reasons")
"""Without gRPC, which producers and consumers do not install."""
ADAPTERS = {
    f"{J}.adapters.files": (f"{J}.core", f"{J}.contracts"),
    f"{J}.adapters.images": (f"{J}.core", f"{J}.images", f"{J}.settings"),
    f"{J}.adapters.kafka": (*DATA, *TLS_FILES),
    f"{J}.adapters.redis": (f"{J}.core", f"{J}.settings", f"{J}.evaluation", *TLS_FILES),
    f"{J}.adapters.releases": (
        *(f"{J}.core", f"{J}.template_files", f"{J}.checkpoints"),
        *(f"{J}.engine.template_check", f"{J}.backends.chat", f"{J}.contracts.recording"),
    ),
    f"{J}.adapters.tls": (f"{J}.core", f"{J}.settings"),
    f"{J}.adapters.rollout": (f"{J}.core", f"{J}.v1", f"{J}.settings", f"{J}.adapters.tls"),
    f"{J}.adapters.triton": (
        *(f"{J}.core", f"{J}.template_files", f"{J}.contracts", f"{J}.adapters.tls"),
        f"{J}.telemetry",
    ),
    f"{J}.adapters.webhook": (f"{J}.core",),
    f"{J}.adapters.otel": (
        f"{J}.core",
        f"{J}.settings",
        f"{J}.telemetry",
        f"{J}.adapters.tls.files",
    ),
    f"{J}.adapters.preflight": (*DATA, f"{J}.adapters.kafka"),
    f"{J}.client": (*DATA, f"{J}.adapters.kafka"),
    f"{J}.aio": (*DATA, f"{J}.client"),
}
PROCESS = {
    f"{J}.process_tracing": (
        *(f"{J}.core", f"{J}.settings", f"{J}.telemetry"),
        f"{J}.adapters.otel",
    ),
}
WORKER = (
    *(*DATA, f"{J}.template_files", f"{J}.adapters", f"{J}.apps.worker", f"{J}.process_health"),
    f"{J}.telemetry",
)
APPS = {
    f"{J}.apps.worker": (
        *(*DATA, f"{J}.adapters", f"{J}.metrics_endpoint", f"{J}.process_health"),
        f"{J}.telemetry",
    ),
    f"{J}.apps.judging": WORKER,
    f"{J}.apps.replay": (*WORKER, f"{J}.apps.judging"),
    f"{J}.apps.bias": (*WORKER, f"{J}.evaluation"),
    f"{J}.apps.rollout": (*WORKER, f"{J}.checkpoints", f"{J}.evaluation"),
    f"{J}.apps.recovery": (*WORKER, f"{J}.apps.bias", f"{J}.evaluation"),
    f"{J}.apps.machine": (*WORKER, f"{J}.local"),
    f"{J}.apps.suites": (*WORKER, f"{J}.apps.judging", f"{J}.evaluation", f"{J}.suites"),
}
SERVING = (f"{J}.core", f"{J}.checkpoints", f"{J}.engine", f"{J}.evaluation")
TRAINING = {
    f"{T}.failure": (f"{J}.core",),
    f"{T}.files": (),
    f"{T}.randomness": (),
    f"{T}.data": (*DATA, f"{J}.evaluation", f"{J}.adapters", f"{T}.randomness"),
    f"{T}.tasks": (f"{J}.core", f"{T}.data", f"{T}.randomness"),
    f"{T}.preferences": (f"{J}.core", f"{T}.data", f"{T}.randomness", f"{T}.tasks"),
    f"{T}.recipe": (f"{J}.core", f"{T}.data", f"{T}.tasks"),
    f"{T}.labelling": (
        *(f"{J}.core", f"{J}.backends", f"{J}.engine", f"{J}.adapters.files"),
        *(f"{T}.data", f"{T}.files", f"{T}.randomness"),
    ),
    f"{T}.training": (
        *(f"{J}.core", f"{J}.engine"),
        *(f"{T}.{name}" for name in ("data", "failure", "files", "preferences")),
        *(f"{T}.{name}" for name in ("randomness", "recipe", "tasks")),
    ),
    f"{T}.cards": (
        *(*SERVING, f"{J}.adapters.files"),
        *(f"{T}.data", f"{T}.files", f"{T}.recipe", f"{T}.tasks"),
    ),
    f"{T}.publishing": (
        *(*DATA, f"{J}.checkpoints", f"{J}.adapters.kafka", f"{J}.telemetry"),
        f"{T}.cards",
    ),
    f"{T}.continuous": (
        *(*DATA, *SERVING, f"{J}.adapters.kafka", f"{J}.telemetry"),
        *(f"{T}.{name}" for name in ("cards", "data", "failure", "files", "recipe", "training")),
    ),
    f"{T}.jobs": (
        *(*DATA, *SERVING, f"{J}.adapters", f"{J}.backends", f"{J}.terminal"),
        *(f"{J}.local.cache", f"{J}.local.wheels", f"{J}.metrics_endpoint"),
        *(f"{J}.process_health", f"{J}.process_tracing", f"{J}.telemetry"),
        f"{T}.preferences",
        *(f"{T}.{name}" for name in ("cards", "continuous", "data", "files", "labelling")),
        *(f"{T}.{name}" for name in ("publishing", "recipe", "tasks", "training")),
    ),
    f"{T}.commands": (
        *(f"{J}.core", f"{J}.contracts", f"{J}.evaluation", f"{J}.terminal"),
        *(f"{J}.engine.openmp", f"{T}.continuous.limits"),
        *(f"{T}.data", f"{T}.labelling", f"{T}.jobs"),
    ),
    f"{T}.__main__": (f"{J}.terminal", f"{T}.commands"),
}
COMMAND_LINE = {
    f"{J}.apps.cli": (
        *(f"{J}.checkpoints.dtypes", f"{J}.engine.template_check"),
        *(f"{J}.backends.chat.probing", f"{J}.backends.chat.request_options"),
        *(*WORKER, f"{J}.local", f"{J}.evaluation", f"{J}.client", f"{J}.terminal"),
        f"{J}.dashboards",
        *(f"{J}.apps.judging", f"{J}.apps.bias", f"{J}.apps.machine", f"{J}.metrics_endpoint"),
        *(f"{J}.apps.recovery", f"{J}.process_tracing"),
        *(f"{J}.apps.replay", f"{J}.apps.rollout", f"{J}.apps.suites", f"{J}.suites"),
        f"{T}.commands",
    ),
}
LAYERS: Mapping[str, tuple[str, ...]] = {
    **BASE,
    **ADAPTERS,
    **PROCESS,
    **APPS,
    **TRAINING,
    **COMMAND_LINE,
    "triton_models": (f"{J}.backends",),
}
SPLIT = {f"{J}.apps", f"{J}.adapters"}
"""Packages whose parts have separate rows."""


def sources() -> Iterator[tuple[str, Path]]:
    """Every file of the product, with the dotted name of its module."""
    for root in (SERVICES, TRAINER):
        for path in sorted(root.rglob("*.py")):
            parts = path.relative_to(root).with_suffix("").parts
            yield ".".join(parts).removesuffix(".__init__"), path
    for path in sorted((ROOT / "triton_models").rglob("*.py")):
        yield "triton_models", path


def row_of(module: str) -> str:
    """The table's row for a module: its package below the top, or a part of a split package."""
    parts = module.split(".")
    depth = 3 if ".".join(parts[:2]) in SPLIT else 2
    return ".".join(parts[:depth])


FILES = [(name, path) for name, path in sources() if row_of(name) not in {J, T, *SPLIT}]


def test_every_package_has_one_row_and_every_row_a_package() -> None:
    assert {row_of(name) for name, _ in FILES} == set(LAYERS)


def test_no_row_imports_a_later_one() -> None:
    order = list(LAYERS)
    above = [
        f"{row} may import {allowed}, which stands below it"
        for row, imported in LAYERS.items()
        for allowed in imported
        for other in order[order.index(row) + 1 :]
        if within(other, allowed) and allowed not in (T, f"{J}.adapters")
    ]
    assert above == []


@pytest.mark.parametrize("row", LAYERS)
def test_imports_fall_one_way(row: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for name, path in FILES
        if row_of(name) == row
        for module in imports(path)
        if within(module, J, T) and module not in {J, T, *SPLIT}
        if not within(module, row, *LAYERS[row])
        and not any(within(allowed, module) for allowed in LAYERS[row])
    ]
    assert wrong == []


def test_only_the_command_line_mounts_the_trainers_commands() -> None:
    mounting = {
        (name, module)
        for name, path in FILES
        if name.startswith(f"{J}.")
        for module in imports(path)
        if within(module, T)
    }
    assert {name for name, _ in mounting} == {f"{J}.apps.cli"}
    assert all(within(module, f"{T}.commands") for _, module in mounting)
