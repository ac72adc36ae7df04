"""Purity of `core` and `evaluation`: only the standard library, no file, no clock, no hidden randomness."""

import ast
import sys
from pathlib import Path

import pytest

from judgestream.core.modes import MODES, Mode
from judgestream.core.templates import TEMPLATES
from tests.paths import ROOT
from tests.structure.imports import imports, within
from tests.structure.parsed import nodes

PACKAGE = ROOT / "services" / "judgestream"
PURE = sorted(
    path for name in ("core", "evaluation", "suites") for path in (PACKAGE / name).rglob("*.py")
)


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_pure_package_imports_only_the_standard_library_and_ours(path: Path) -> None:
    tops = {module.split(".")[0] for module in imports(path)} - {"judgestream"}
    assert tops <= sys.stdlib_module_names


WORLD = {"asyncio", "io", "logging", "os", "pathlib", "secrets", "socket", "subprocess", "sys"}
WORLD |= {"tempfile", "threading", "time", "urllib", "uuid"}
CALLS = {"open", "print", "input", "exec", "eval", "now", "utcnow", "today"}


@pytest.mark.parametrize("path", PURE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_pure_package_touches_no_file_no_clock_and_no_hidden_randomness(path: Path) -> None:
    assert {module.split(".")[0] for module in imports(path)} & WORLD == set()
    assert [m for m in imports(path) if within(m, "random") and m != "random"] == []
    for node in nodes(path):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            called = node.func.id if isinstance(node.func, ast.Name) else called
            assert called not in CALLS, f"line {node.lineno} calls {called}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "random":  # only a seeded generator
                assert node.attr == "Random", f"line {node.lineno} uses random.{node.attr}"
    for node in nodes(path):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "random.Random":
            assert node.args or node.keywords, f"line {node.lineno} has no seed"


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_a_template_supports_every_mode(mode: Mode) -> None:
    supported = {name for known in TEMPLATES.values() for name in known.forms}
    assert set(mode.forms_required) <= supported


PROTOS = sorted((ROOT / "protos").rglob("*.proto"))


@pytest.mark.parametrize("proto", PROTOS, ids=lambda path: path.name)
def test_generated_code_is_what_the_generator_makes_of_the_proto(
    proto: Path, tmp_path: Path
) -> None:
    protoc = pytest.importorskip("grpc_tools.protoc", reason="grpcio-tools is not installed")
    generated = f"{proto.stem}_pb2.py"
    google = Path(protoc.__file__).parent / "_proto"
    arguments = [f"-I{ROOT / 'protos'}", f"-I{google}", f"--python_out={tmp_path}"]
    assert protoc.main(["protoc", *arguments, str(proto)]) == 0
    fresh = tmp_path / proto.parent.relative_to(ROOT / "protos") / generated
    shipped = PACKAGE / "v1" / generated
    assert shipped.read_text() == fresh.read_text(), f"{generated} is out of date: make protos"
