"""Generates the Rust and Python code of proto/assay/v1; the result is checked in.

    python proto/generate.py            # rewrite rust/assay-server/src/pb and python/assay/client/_pb
    python proto/generate.py --python DIR   # only the Python half, into DIR

Needs `grpcio-tools` (which brings its own protoc) and cargo (which compiles protox). No system protoc.
The Python code holds messages only. The stub that grpc would add refuses every grpc older than its generator, and
the client needs just one line a method without it.
"""

import argparse
import re
import subprocess
import sys
import tempfile
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROTO = ROOT / "proto"
PYTHON_OUT = ROOT / "python" / "assay" / "client" / "_pb"
INIT = '"""Generated from proto/assay/v1 by proto/generate.py. Do not edit."""\n'

# protoc's modules import each other from the top of their package path; ours stand side by side in one package.
_ABSOLUTE_IMPORT = re.compile(r"^from assay\.v1 import (\w+)", re.MULTILINE)
# Messages without features of a protobuf edition build alike under every runtime since 5; the guard would refuse
# all but the newest, and protobuf is shared with everything else in a trainer's environment.
_VERSION_GUARD = re.compile(
    r"^from google\.protobuf import runtime_version as _runtime_version\n"
    r"|^_runtime_version\.ValidateProtobufRuntimeVersion\([^)]*\)\n"
    r"|^# Protobuf Python Version: .*\n",
    re.MULTILINE,
)


def sources() -> list[str]:
    """Names of the .proto files, relative to the import root."""
    return sorted(path.relative_to(PROTO).as_posix() for path in PROTO.glob("assay/v1/*.proto"))


def generate_python(out: Path) -> None:
    """Writes `*_pb2.py` and `*_pb2.pyi` of every .proto file, and `__init__.py`, into `out`."""
    from grpc_tools import protoc

    out.mkdir(parents=True, exist_ok=True)
    well_known = str(resources.files("grpc_tools") / "_proto")
    with tempfile.TemporaryDirectory() as scratch:
        status = protoc.main(
            ["protoc", f"-I{PROTO}", f"-I{well_known}", f"--python_out={scratch}", f"--pyi_out={scratch}", *sources()]
        )
        if status != 0:
            sys.exit(f"protoc failed with status {status}")
        for path in sorted(Path(scratch).rglob("*_pb2.py*")):
            text = _VERSION_GUARD.sub("", path.read_text(encoding="utf-8"))
            text = _ABSOLUTE_IMPORT.sub(r"from . import \1", text)
            (out / path.name).write_text(text, encoding="utf-8")
    (out / "__init__.py").write_text(INIT, encoding="utf-8")


def generate_rust() -> None:
    """Rewrites rust/assay-server/src/pb."""
    subprocess.run(
        ["cargo", "run", "--quiet", "--package", "assay-server", "--example", "generate"], cwd=ROOT, check=True
    )


def main() -> None:
    """Generates what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--python", type=Path, metavar="DIR", help="only the Python half, into DIR")
    arguments = parser.parse_args()
    if arguments.python is not None:
        generate_python(arguments.python)
        return
    generate_python(PYTHON_OUT)
    generate_rust()


if __name__ == "__main__":
    main()
