"""What `import assay` costs."""

from __future__ import annotations

import subprocess
import sys
import time

from common import seconds, table


def start(code: str, runs: int = 9) -> float:
    """The best wall time of a fresh interpreter that runs `code`."""
    best = float("inf")
    for _ in range(runs):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        best = min(best, time.perf_counter() - started)
    return best


def run() -> list[str]:
    """The table of this file."""
    empty = start("pass")
    rows = [["python -c pass", seconds(empty), ""]]
    for name, code, runs in (
        ("import numpy", "import numpy", 9),
        ("import assay", "import assay", 9),
        ("import assay, one verify", "import assay; assert assay.verify('1/2', '0.5')", 9),
        (
            "import math_verify, one verify",
            "from math_verify import parse, verify; assert verify(parse('$1/2$'), parse('$0.5$'))",
            3,
        ),
    ):
        took = start(code, runs)
        rows.append([name, seconds(took), seconds(max(took - empty, 0.0))])
    return [table("Start-up, fresh process, best wall time", ["", "total", "above an empty interpreter"], rows)]
