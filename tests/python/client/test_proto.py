"""The checked-in wire code is what the .proto files generate."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
CHECKED_IN = ROOT / "python" / "assay" / "client" / "_pb"


def test_checked_in_code_is_up_to_date(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "proto" / "generate.py"), "--python", str(tmp_path)]
    subprocess.run(command, check=True)
    fresh = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    stale = [name for name, text in fresh.items() if (CHECKED_IN / name).read_text(encoding="utf-8") != text]
    assert not stale, "run `make proto` and commit the result"
    assert {path.name for path in CHECKED_IN.glob("*.py*") if path.suffix != ".pyc"} == set(fresh)
