"""A reward server in a process of its own, and a client of it that scores as the local scorer does."""

import subprocess
import sys

import assay

completions = ["<think>6 * 7</think><answer>42</answer>", "<think>6 + 7</think><answer>13</answer>"]
references = ["42", "42"]
spec = {"accuracy": 1.0, "format": 0.5}

# Port 0 takes a free port; the server prints it when it is ready.
command = [sys.executable, "-m", "assay.cli", "serve", "--bind", "127.0.0.1:0", "--threads", "1"]
with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
    try:
        assert server.stdout
        address = server.stdout.readline().removeprefix("listening on ").strip()
        with assay.connect(address, spec) as remote:
            there = remote.score(completions, references)
        here = assay.Scorer(spec).score(completions, references)
        print("rewards of the server:", there.total)
        assert there.total.tobytes() == here.total.tobytes()
        print("the same, bit for bit, as in process")
    finally:
        server.terminate()
