"""Runs a command until it ends or the process that asked for it is gone: ``python guard.py PARENT_PID COMMAND...``.

Stands alone (standard library only) because it runs before anything of assay's is importable. It leads the process
group of the server it starts, so one signal to the group ends all of it, and a killed trainer leaves no server behind.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

_POLL_S = 0.5


def main(arguments: list[str]) -> int:
    """Starts the command and returns its exit status, or ends the whole group when the parent has changed."""
    parent, command = int(arguments[0]), arguments[1:]
    child = subprocess.Popen(command)  # noqa: S603 - the command is the operator's own
    while child.poll() is None:
        if os.getppid() != parent:
            os.killpg(0, signal.SIGKILL)
        time.sleep(_POLL_S)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
