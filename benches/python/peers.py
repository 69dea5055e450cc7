"""Other graders in processes of their own, so that one that hangs or dies is counted, not suffered.

The interpreter of this process has math-verify. For the others set ASSAY_PEER_PYTHON to one that has math-verify, sympy,
pylatexenc and antlr4-python3-runtime 4.11, and ASSAY_PEER_SOURCES to a folder in which the wheels of verl and trl lie unpacked
(`pip download --no-deps verl trl`, then unzip each into a folder of its name).
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from peer_worker import PEERS

WORKER = Path(__file__).with_name("peer_worker.py")
# Wall seconds for one pair; math-verify's own limits are 5 s for each parse and for the comparison.
LIMIT = 60.0


@dataclass(frozen=True)
class Judged:
    """What a grader said of one pair; a hang or an exception is no verdict, and counts as not equal."""

    equal: bool
    failed: bool
    seconds: float


class Peer:
    """A grader by its name in `peer_worker.PEERS`; `started` is false where it cannot be loaded."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._python = os.environ.get("ASSAY_PEER_PYTHON", sys.executable)
        self._sources = os.environ.get("ASSAY_PEER_SOURCES", ".")
        self._start()
        self.started = self._line() is not None

    def _start(self) -> None:
        self._process = subprocess.Popen(
            [self._python, str(WORKER), self.name, self._sources],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read, args=(self._process, self._lines), daemon=True).start()

    @staticmethod
    def _read(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)
        lines.put("")

    def _line(self) -> str | None:
        """The next line; None after `LIMIT` seconds or at the end of the process."""
        try:
            return self._lines.get(timeout=LIMIT) or None
        except queue.Empty:
            return None

    def judge(self, gold: str, answer: str) -> Judged:
        """What it says of one pair."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps([gold, answer]) + "\n")
            self._process.stdin.flush()
            line = self._line()
        except BrokenPipeError:
            line = None
        if line is None:
            self.close()
            self._start()
            self._line()
            return Judged(equal=False, failed=True, seconds=LIMIT)
        said = json.loads(line)
        return Judged(
            equal=said["verdict"] is True, failed=not isinstance(said["verdict"], bool), seconds=said["seconds"]
        )

    def close(self) -> None:
        """Ends the process."""
        self._process.kill()
        self._process.wait()


def available() -> Sequence[Peer]:
    """The graders that can be loaded here."""
    peers = [Peer(name) for name in PEERS]
    for peer in peers:
        if not peer.started:
            peer.close()
    return [peer for peer in peers if peer.started]
