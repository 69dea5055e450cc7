"""A reward model, a judge and plug-ins on this machine, as well- or ill-behaved as a test wants."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tokenizers import Tokenizer

Answer = Callable[[str, dict[str, Any], dict[str, str]], tuple[int, str]]


class Endpoint:
    """An HTTP server whose answers are a function of path, body and headers; it keeps what it was asked."""

    def __init__(self, answer: Answer, port: int = 0) -> None:
        self.asked: list[dict[str, Any]] = []
        self.connections = 0
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                endpoint.connections += 1
                super().setup()

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["content-length"])))
                endpoint.asked.append({"path": self.path, "body": body})
                status, text = answer(self.path, body, dict(self.headers.items()))
                data = text.encode()
                self.send_response(status)
                self.send_header("content-length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *_: object) -> None: ...

        class Server(ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, *_: object) -> None: ...

        self._server = Server(("127.0.0.1", port), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def endpoint() -> Iterator[Callable[..., Endpoint]]:
    running: list[Endpoint] = []

    def start(answer: Answer, port: int = 0) -> Endpoint:
        running.append(Endpoint(answer, port))
        return running[-1]

    yield start
    for one in running:
        one.close()


@pytest.fixture
def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture
def byte_ids(byte_tokenizer: Tokenizer, tokenizer_file: Path) -> Callable[[str], tuple[Path, NDArray[np.uint32]]]:
    """A tokenizer's file, and the token ids of a text."""
    return lambda text: (tokenizer_file, np.array(byte_tokenizer.encode(text).ids, dtype=np.uint32))


FUNCTIONS = '''
import os, signal, subprocess, sys, time

def length(completions, **kwargs):
    return [float(len(text)) for text in completions]

def told(completions, references, prompts):
    return [float(text == f"{prompt}{reference}") for text, reference, prompt in zip(completions, references, prompts)]

def trouble(completions):
    """One value for each completion, or the trouble that it names."""
    values = []
    for text in completions:
        if text == "raise": raise ValueError("no such luck")
        if text == "hang": time.sleep(3600)
        if text == "spin":
            while True: pass
        if text == "exit": sys.exit(3)
        if text == "die": os._exit(4)
        if text == "kill": os.kill(os.getpid(), signal.SIGKILL)
        if text == "print":
            print("x" * 100_000); os.write(1, b"\\0" * 1000); sys.__stdout__.flush()
        if text == "close": sys.stdout.close()
        if text == "read": assert sys.stdin.read() == ""
        if text == "child":
            child = subprocess.Popen(["sleep", "3600"])
            with open(os.environ["ASSAY_TEST_PIDS"], "a") as pids: pids.write(f"{child.pid}\\n")
            time.sleep(3600)
        values.append({"nan": float("nan"), "inf": float("inf"), "none": None, "text": "7", "true": True}.get(text, 1))
    if "short" in completions: values.pop()
    if "many" in completions: values.append(1)
    return values

def scalar(completions): return 1.0
def nothing(completions): return None
def names(completions): return {text: 1 for text in completions}
def process(completions): return [os.getpid()] * len(completions)

hoard = []
def leak(completions):
    hoard.append(bytearray(80 << 20))
    return [os.getpid()] * len(completions)

async def later(completions):
    import asyncio
    await asyncio.sleep(0)
    return [2] * len(completions)

constant = 3
'''


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module of functions that plug-in workers can import."""
    (tmp_path / "assay_test_rewards.py").write_text(FUNCTIONS, encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "assay_test_rewards"
