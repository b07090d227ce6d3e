"""Generate the stubs beside every `.proto` file, or with `--check` compare them with what is checked in."""

import sys
import tempfile
from importlib.resources import files
from pathlib import Path

from grpc_tools import protoc

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "protos"


def generate(target: Path) -> dict[Path, bytes]:
    """Run protoc over all contracts; the generated files by path below `target`."""
    protos = sorted(str(path.relative_to(SOURCE)) for path in SOURCE.rglob("*.proto"))
    plugin = Path(sys.executable).with_name("protoc-gen-mypy")
    code = protoc.main(
        [
            "protoc",
            f"--proto_path={SOURCE}",
            f"--proto_path={files('grpc_tools') / '_proto'}",
            f"--plugin=protoc-gen-mypy={plugin}",
            f"--python_out={target}",
            f"--mypy_out=quiet:{target}",
            *protos,
        ]
    )
    if code != 0:
        sys.exit(f"[protos] protoc failed with {code}")
    return {path.relative_to(target): path.read_bytes() for path in target.rglob("*_pb2.py*")}


def main() -> None:
    """Write the stubs, or name those that differ."""
    with tempfile.TemporaryDirectory() as scratch:
        made = generate(Path(scratch))
    present = {path.relative_to(SOURCE): path.read_bytes() for path in SOURCE.rglob("*_pb2.py*")}
    if "--check" not in sys.argv:
        for path, content in made.items():
            (SOURCE / path).write_bytes(content)
        return
    differing = sorted(str(path) for path in made.keys() | present.keys() if made.get(path) != present.get(path))
    if differing:
        sys.exit(f"[protos] not what `make protos` generates: {', '.join(differing)}")


if __name__ == "__main__":
    main()
