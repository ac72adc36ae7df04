"""Which way the imports fall, read from the import statements; and what the core must not touch."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from judgestream.core.modes import MODES
from judgestream.core.templates import TEMPLATES

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "services" / "judgestream"
CORE = sorted((PACKAGE / "core").rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, dotted and absolute: `from a import b` gives `a` and `a.b`."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, (_base(path, node.level), node.module)))
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _base(path: Path, level: int) -> str:
    """The package that a relative import of this many dots starts from."""
    if level == 0:
        return ""
    source = PACKAGE.parent if path.is_relative_to(PACKAGE.parent) else ROOT
    package = path.parent.relative_to(source).parts
    return ".".join(package[: len(package) - level + 1])


def within(module: str, *packages: str) -> bool:
    return any(module == package or module.startswith(f"{package}.") for package in packages)


def ours(path: Path) -> Iterator[str]:
    """What a file imports from this project, below the top package."""
    return (m for m in imports(path) if within(m, "judgestream", "trainer") and m != "judgestream")


# folder, and what of this project its files may import
ARROWS = [
    ("services/judgestream/core", ("judgestream.core",)),
    (
        "services/judgestream/engine",
        ("judgestream.core", "judgestream.engine", "judgestream.contracts.triton_interface"),
    ),
    ("services/judgestream/suites", ("judgestream.core", "judgestream.suites")),
    (
        "services/judgestream/contracts",
        ("judgestream.core", "judgestream.contracts", "judgestream.v1"),
    ),
    ("services/judgestream/v1", ("judgestream.v1",)),
    ("triton_models", ("judgestream.core", "judgestream.engine")),
]


@pytest.mark.parametrize(("folder", "allowed"), ARROWS, ids=[folder for folder, _ in ARROWS])
def test_imports_fall_one_way(folder: str, allowed: tuple[str, ...]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for module in ours(path)
        if not within(module, *allowed)
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["services/judgestream/adapters", "trainer"])
def test_nothing_below_the_apps_imports_them(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for module in ours(path)
        if within(module, "judgestream.apps")
    ]
    assert wrong == []


def test_services_do_not_import_the_trainer() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {module}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.is_relative_to(PACKAGE / "apps")  # the command line may start it
        for module in imports(path)
        if within(module, "trainer")
    ]
    assert wrong == []


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_imports_the_standard_library_and_itself(path: Path) -> None:
    tops = {module.split(".")[0] for module in imports(path)} - {"judgestream"}
    assert tops <= sys.stdlib_module_names


WORLD = {"asyncio", "io", "logging", "os", "pathlib", "secrets", "socket", "subprocess", "sys"}
WORLD |= {"tempfile", "threading", "time", "urllib", "uuid"}
CALLS = {"open", "print", "input", "exec", "eval", "now", "utcnow", "today"}


@pytest.mark.parametrize("path", CORE, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_the_core_touches_no_file_no_clock_and_no_hidden_randomness(path: Path) -> None:
    assert {module.split(".")[0] for module in imports(path)} & WORLD == set()
    assert [m for m in imports(path) if within(m, "random") and m != "random"] == []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else None
            called = node.func.id if isinstance(node.func, ast.Name) else called
            assert called not in CALLS, f"line {node.lineno} calls {called}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            if node.value.id == "random":  # only a generator of its own, with its seed given
                assert node.attr == "Random", f"line {node.lineno} uses random.{node.attr}"
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "random.Random":
            assert node.args or node.keywords, f"line {node.lineno} has no seed"


def test_every_template_that_a_mode_uses_exists() -> None:
    for mode in MODES.values():
        lacking = [name for name, known in TEMPLATES.items() if mode.form not in known.forms]
        assert lacking == [], f"mode {mode.name} needs form {mode.form}"


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
