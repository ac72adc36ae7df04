"""Check that the generated protobuf code is current; with --write, generate it.

    python -m tests.generated_code [--write]

Exits 1 when a file differs, naming it.
"""

import sys
import tempfile
from pathlib import Path

from grpc_tools import protoc

from tests.paths import ROOT, SERVICES

PROTOS = ROOT / "protos"
PACKAGE = Path("judgestream/v1")


def generate(out: Path) -> None:
    files = [str(path) for path in sorted((PROTOS / PACKAGE).glob("*.proto"))]
    includes = [f"-I{PROTOS}", f"-I{Path(protoc.__file__).parent / '_proto'}"]
    outputs = [f"--{kind}_out={out}" for kind in ("python", "pyi", "grpc_python")]
    code = protoc.main(["protoc", *includes, *outputs, *files])
    if code:
        raise SystemExit(f"protoc failed with {code}")
    for path in (out / PACKAGE).glob("*_pb2_grpc.py"):
        proto = PROTOS / PACKAGE / path.name.replace("_pb2_grpc.py", ".proto")
        if "\nservice " not in proto.read_text(encoding="utf-8"):
            path.unlink()  # it would be empty


def main(arguments: list[str]) -> int:
    if "--write" in arguments:
        generate(SERVICES)
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        fresh = {p.name: p.read_bytes() for p in (Path(folder) / PACKAGE).iterdir()}
    committed = {p.name: p.read_bytes() for p in (SERVICES / PACKAGE).glob("*_pb2*.py*")}
    stale = sorted(
        name for name in fresh.keys() | committed if fresh.get(name) != committed.get(name)
    )
    for name in stale:
        sys.stderr.write(
            f"{SERVICES / PACKAGE / name} differs from what protos/ generate: run `make protos`\n"
        )
    return int(bool(stale))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
