"""Programs that end with the process that started them, however that one ends.

``start`` runs a program in a session of its own, with a watcher in its process group. The watcher holds the reading end of a pipe
whose other end only the caller has: when the caller is gone, killed or not, the pipe ends and the watcher kills the group, as it
does with what the program left behind when that was waited for. The watcher is nobody's child, because there are supervisors (Ray's workers among them) that kill the children of a process that
ends and leave theirs alive; the program itself takes the place of what was started, so it is its pid that signals go to.

As a program, this module stands alone (standard library only): it runs before anything of assay's is importable.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from contextlib import suppress
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_POLL_S = 1.0
_GRACE_S = 5.0


def start(
    command: Sequence[str],
    *,
    stdout: int | IO[bytes] | None = None,
    stderr: int | IO[bytes] | None = None,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Starts a program that does not outlive this process.

    Args:
        command: The program and its arguments.
        stdout: As of ``subprocess.Popen``.
        stderr: Likewise.
        environment: Its variables; by default this process's.

    Returns:
        The program. Its pid is also the id of its process group; its standard input is the watcher's, not to be written to.
    """
    return subprocess.Popen(  # noqa: S603 - the command is the caller's own
        [sys.executable, "-I", __file__, *command],
        stdin=subprocess.PIPE,
        stdout=stdout,
        stderr=stderr,
        env=environment,
        start_new_session=True,
    )


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kills a program of ``start`` and all it started; harmless when they are gone, or called again."""
    # Once only: the group's id is the leader's pid (start_new_session), and another's once the last member is gone.
    if process.stdin is None or process.stdin.closed:
        return
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.stdin.close()


def end(process: subprocess.Popen[bytes]) -> None:
    """Asks a program of ``start`` to end, and after some seconds kills what is left of it and of what it started."""
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(_GRACE_S)
    kill_group(process)
    process.wait()


def main(command: list[str]) -> None:
    """Leaves a watcher behind and becomes the command."""
    leader = os.getpid()
    child = os.fork()
    if child == 0:
        if os.fork() == 0:
            _watch(leader)
        os._exit(0)
    os.waitpid(child, 0)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        os.execvp(command[0], command)  # noqa: S606 - the command is the caller's own
    except OSError as error:
        sys.stderr.write(f"{command[0]}: {error.strerror}\n")
        os._exit(127)


def _watch(leader: int) -> None:
    # Whoever reads the program's output must see it end with the program.
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 1)
    os.dup2(nothing, 2)
    os.closerange(3, 256)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while True:
        ended, _, _ = select.select([0], [], [], _POLL_S)
        if (ended and not os.read(0, 1)) or not _exists(leader):
            os.killpg(0, signal.SIGKILL)


def _exists(leader: int) -> bool:
    # No other process can have this pid while its group has a member, as it has in whoever asks.
    try:
        os.kill(leader, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main(sys.argv[1:])
