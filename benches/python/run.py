"""Run the Python benchmarks and print their tables. Each asserts the results it times and runs its peer in the same run.

python benches/python/run.py [verify] [accuracy] [tokens] [groups] [startup] [grpo] [server]
"""

from __future__ import annotations

import importlib
import platform
import sys

ALL = ["startup", "verify", "accuracy", "tokens", "groups", "server", "grpo"]


def main() -> None:
    """Print the tables of the named benchmarks, or of all."""
    names = sys.argv[1:] or ALL
    unknown = sorted(set(names) - set(ALL))
    if unknown:
        sys.exit(f"unknown benchmark {', '.join(unknown)}: choose from {', '.join(ALL)}")
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}\n")
    for name in names:
        for text in importlib.import_module(name).run():
            print(text, flush=True)


if __name__ == "__main__":
    main()
