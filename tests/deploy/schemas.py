"""Rendered resources and dashboards against the published schemas: Kubernetes, Strimzi, KEDA, Prometheus
Operator, Grafana.

The schemas come from packages: `kubernetes-validate` from PyPI, and the npm packages of models/package.json.
Their validators check types, required fields, patterns and values. Their TypeScript types find fields that do
not exist.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.deploy.kustomize import BUILT_IN, Resource, identity

KUBERNETES = "1.34"
"""The version of Kubernetes whose schemas are used."""

MODELS = Path(__file__).resolve().parent / "models"
BIN = Path(sys.executable).parent
INSTALLED = BIN.parent / "deploy-models"
PACKAGES = {
    "keda.sh": "@kubernetes-models/keda",
    "kafka.strimzi.io": "@kubernetes-models/strimzi-kafka-operator",
    "monitoring.coreos.com": "@kubernetes-models/prometheus-operator",
}
INSTALL_S, CHECK_S = 300, 60


def problems_of(resources: Sequence[Resource]) -> Iterator[str]:
    """One line for each problem, with the kind and the name of the resource."""
    custom = []
    for resource in resources:
        if resource["apiVersion"].startswith(BUILT_IN):
            yield from _built_in(resource)
        else:
            custom.append(resource)
    if custom:
        _install()
        yield from _invalid(custom)
        yield from _unknown_fields(custom)


def _line(resource: Resource, message: str) -> str:
    _, kind, name = identity(resource)
    return f"{kind} {name}: {message}"


def _built_in(resource: Resource) -> Iterator[str]:
    import kubernetes_validate  # seconds, which every pytest worker would pay as it collects

    try:
        kubernetes_validate.validate(resource, KUBERNETES, strict=True)
    except kubernetes_validate.ValidationError as exc:
        yield _line(resource, f"{'.'.join(map(str, exc.path))}: {exc.message}")


def _install() -> None:
    """The npm packages, once for each package-lock.json."""
    lock = MODELS / "package-lock.json"
    done = INSTALLED / "package-lock.json.installed"
    if done.exists() and done.read_bytes() == lock.read_bytes():
        return
    INSTALLED.mkdir(exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(MODELS / name, INSTALLED / name)
    _run([str(BIN / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"], INSTALL_S)
    done.write_bytes(lock.read_bytes())


def _run(
    command: Sequence[str], limit_s: int, given: str = ""
) -> "subprocess.CompletedProcess[str]":
    """Raises RuntimeError with the program's own words when it fails."""
    path = f"{BIN}:{os.environ.get('PATH', os.defpath)}"
    done = subprocess.run(
        command,
        cwd=INSTALLED,
        env={**os.environ, "PATH": path},
        input=given,
        capture_output=True,
        text=True,
        timeout=limit_s,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stderr or done.stdout}")
    return done


def _invalid(resources: Sequence[Resource]) -> Iterator[str]:
    program = INSTALLED / "validate.js"  # beside node_modules, where its imports are looked up
    shutil.copyfile(MODELS / "validate.js", program)
    done = _run([str(BIN / "node"), str(program)], CHECK_S, json.dumps(resources))
    for index, message in json.loads(done.stdout):
        yield _line(resources[index], message)


def _unknown_fields(resources: Sequence[Resource]) -> Iterator[str]:
    """One resource a line, typed: a literal may only have the fields of its type."""
    typed = [one for one in resources if one["apiVersion"].partition("/")[0] in PACKAGES]
    lines = [
        f"export const resource{index}:"
        f' import("{PACKAGES[one["apiVersion"].partition("/")[0]]}/{one["apiVersion"]}/{one["kind"]}")'
        f".I{one['kind']} = {json.dumps(one)};"
        for index, one in enumerate(typed)
    ]
    for number, message in _type_errors(lines):
        yield _line(typed[number], message)


PLAIN = (
    "type Plain<T> = T extends string ? `${T}` : T extends number ? number"
    " : T extends (infer U)[] ? Plain<U>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;"
)
"""A type with the values of its enumerations instead of their names, as JSON has them."""


def dashboard_problems(models: Mapping[str, object]) -> Iterator[str]:
    """Grafana dashboards, by name, against the types of its schema package."""
    _install()
    names = list(models)
    lines = [
        f'export const dashboard{index}: Plain<import("@grafana/schema").Dashboard> ='
        f" {json.dumps(models[name])};"
        for index, name in enumerate(names)
    ]
    for number, message in _type_errors([*lines, PLAIN]):
        yield f"dashboard {names[number]}: {message}"


def _type_errors(lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """The number of the line, from 0, and the message of each error that TypeScript finds."""
    with tempfile.NamedTemporaryFile("w", suffix=".ts", dir=INSTALLED, delete=False) as file:
        file.write("\n".join(lines))
    try:
        options = [
            "--noEmit",
            "--strict",
            "--module",
            "nodenext",
            "--skipLibCheck",
            "--pretty",
            "false",
        ]
        done = subprocess.run(
            [BIN / "node", "node_modules/typescript/bin/tsc", *options, file.name],
            cwd=INSTALLED,
            capture_output=True,
            text=True,
            timeout=CHECK_S,
        )
    finally:
        os.unlink(file.name)
    for line in done.stdout.splitlines():
        place, _, message = line.partition(": error ")
        number = place.rpartition("(")[2].partition(",")[0]
        if message and number.isdigit():
            yield int(number) - 1, message
    if done.returncode and not done.stdout:
        raise RuntimeError(f"tsc failed:\n{done.stderr}")
