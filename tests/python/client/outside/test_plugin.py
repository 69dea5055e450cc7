"""Plug-ins: a user's function in worker processes. Whatever it does costs its own item a value, and nothing else."""

import math
import os
import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

import assay


def scorer(function: str, **settings: Any) -> assay.Scorer:
    spec = {"component": [{"kind": "plugin", "function": "mine"}]}
    return assay.Scorer(spec, plugins={"mine": {"function": function, **settings}})


def score(function: str, completions: list[str], **settings: Any) -> assay.Scores:
    return scorer(function, **settings).score(completions, [None] * len(completions))


def test_values_in_order_over_several_workers_and_calls(module: str) -> None:
    texts = ["x" * (index % 97) for index in range(1000)]
    scores = score(f"{module}:length", texts, workers=2, batch=64)
    assert scores.total.tolist() == [float(len(text)) for text in texts]


def test_references_and_prompts_arrive(module: str) -> None:
    scores = scorer(f"{module}:told").score(["Q1", "Q2"], ["1", None], ["Q", "Q"])
    assert scores.total.tolist() == [1.0, 0.0]


def test_a_coroutine_is_awaited(module: str) -> None:
    assert score(f"{module}:later", ["a", "b"]).total.tolist() == [2.0, 2.0]


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        ("raise", "it raised ValueError: no such luck"),
        ("exit", "it raised SystemExit: 3"),
        ("die", "ended (exit status: 4)"),
        ("kill", "ended (signal: 9"),
        ("hang", "did not finish within 1 s"),
        ("spin", "did not finish within 1 s"),
        ("nan", "it gave nan"),
        ("inf", "it gave inf"),
        ("none", "it gave None"),
        ("text", "it gave a str and no number"),
        ("short", "it gave 0 values for 1 completion"),
        ("many", "it gave 2 values for 1 completion"),
    ],
)
def test_one_bad_item_costs_no_other(module: str, trouble: str, reason: str) -> None:
    scores = score(f"{module}:trouble", ["a", trouble, "b"], timeout_seconds=1)
    assert scores.total.tolist()[::2] == [1.0, 1.0]
    assert math.isnan(scores.total[1])
    assert [str(status) for status in scores.status] == ["scored", "unavailable", "scored"]
    assert reason in (scores.reasons[1] or ""), scores.reasons[1]


@pytest.mark.parametrize("harmless", ["print", "close", "read", "true"])
def test_printing_and_the_like_change_nothing(module: str, harmless: str) -> None:
    assert score(f"{module}:trouble", ["a", harmless, "b"]).total.tolist() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("function", "reason"), [("scalar", "a float and no list"), ("nothing", "a NoneType"), ("names", "a dict")]
)
def test_a_wrong_type(module: str, function: str, reason: str) -> None:
    scores = score(f"{module}:{function}", ["a", "b"])
    assert all(math.isnan(total) for total in scores.total)
    assert reason in (scores.reasons[0] or "")


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("assay_no_such_module:f", "ModuleNotFoundError"),
        ("assay_test_rewards:absent", "AttributeError"),
        ("assay_test_rewards:constant", "is a int and no function"),
    ],
)
def test_a_function_that_cannot_be_loaded(module: str, function: str, reason: str) -> None:
    scores = score(function, ["a"])
    assert math.isnan(scores.total[0])
    assert reason in (scores.reasons[0] or ""), scores.reasons[0]


def test_a_hang_is_killed_with_all_that_it_started(
    module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pids = tmp_path / "pids"
    monkeypatch.setenv("ASSAY_TEST_PIDS", str(pids))
    scores = score(f"{module}:trouble", ["child", "a"], timeout_seconds=1, batch=1)
    assert scores.total.tolist()[1] == 1.0
    assert gone(int(pids.read_text(encoding="utf-8").split()[0]))


def gone(pid: int) -> bool:
    """Whether a process ends within ten seconds, or has."""
    for _ in range(1000):
        try:
            state = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        if state in "ZX":
            return True
        time.sleep(0.01)
    return False


def test_a_worker_is_replaced_after_enough_items(module: str) -> None:
    ready = scorer(f"{module}:process", max_items=4, batch=2)
    calls = [ready.score(["a", "b"], [None] * 2).total.tolist() for _ in range(4)]
    assert all(first == second for first, second in calls)
    assert [calls[index][0] == calls[index + 1][0] for index in range(3)] == [True, False, True]
    assert os.getpid() not in {call[0] for call in calls}


def test_a_worker_that_leaks_is_replaced(module: str) -> None:
    ready = scorer(f"{module}:leak", max_rss_mb=150)
    processes = {ready.score(["a"], [None]).components["plugin"][0] for _ in range(5)}
    assert len(processes) > 1


def test_a_server_runs_them_and_says_so(module: str, serving: Any, serve_command: list[str]) -> None:
    with serving("--plugin", f"{module}:length", "--plugin", f"odd={module}:trouble") as running:
        spec = {
            "component": [{"kind": "plugin", "function": "length"}, {"kind": "plugin", "function": "odd", "name": "b"}]
        }
        remote = assay.connect(running.address, spec)
        assert remote.server_info().plugins == ("length", "odd")
        scores = remote.score(["abc", "die", "d"], [None] * 3)
        assert scores.components["plugin"].tolist() == [3.0, 3.0, 1.0]
        assert [str(status) for status in scores.status] == ["scored", "unavailable", "scored"]
        assert scores.total.tolist()[::2] == [4.0, 2.0]


class Counted:
    """Passes bytes on to a server, and counts those that it gets."""

    def __init__(self, address: str) -> None:
        self.sent = 0
        host, port = address.split(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                caller, _ = self._listener.accept()
                server = socket.create_connection(self._server)
                for ends in ((caller, server, True), (server, caller, False)):
                    threading.Thread(target=self._pass, args=ends, daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, counts: bool) -> None:
        with suppress(OSError), source:
            while data := source.recv(1 << 16):
                self.sent += len(data) if counts else 0
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()


def test_a_test_suite_travels_once_and_arrives_with_every_completion(module: str, serving: Any) -> None:
    suites = [f"suite {index}: " + "assert f(2) == 4; " * 10_000 for index in range(3)]
    references = [suite for suite in suites for _ in range(16)]
    completions = [f"Q{reference}" if row % 3 else "Q" for row, reference in enumerate(references)]
    spec = {"component": [{"kind": "plugin", "function": "told"}]}
    expected = scorer(f"{module}:told").score(completions, references, ["Q"] * 48).total.tolist()
    assert 0.0 in expected
    assert 1.0 in expected
    with serving("--plugin", f"{module}:told") as running:
        link = Counted(running.address)
        remote = assay.connect(link.address, spec, timeout=120)
        texts = sum(map(len, completions))
        for epoch, suites_sent in enumerate([3, 0, 0]):
            before = link.sent
            scores = remote.score(completions, references, ["Q"] * 48)
            assert scores.total.tolist() == expected, epoch
            sent = link.sent - before - texts
            # Beside the completions; 16 copies of each suite would be more by far.
            least = suites_sent * len(suites[0])
            assert least <= sent < least + len(suites[0]), (epoch, sent)
        del remote
        link.close()


def test_a_server_that_cannot_load_one_does_not_start(module: str, serve_command: list[str]) -> None:
    import subprocess

    command = [*serve_command, "--plugin", f"{module}:absent"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 2
    assert "plug-in `absent`: cannot load" in done.stderr


def test_no_worker_outlives_its_server(module: str, serving: Any) -> None:
    with serving("--plugin", f"pid={module}:process") as running:
        spec = {"component": [{"kind": "plugin", "function": "pid"}]}
        pid = int(assay.connect(running.address, spec).score(["a"], [None]).total[0])
        assert not gone_now(pid)
        running.process.kill()
        running.process.wait(30)
        assert gone(pid)


def gone_now(pid: int) -> bool:
    return not Path(f"/proc/{pid}").exists()
