"""An HTTP server that behaves like SGLang 0.5.23 where the generator depends on it; measured, not documented, behaviour.

Tokens are a function of the last token, the length so far and the sample's index, and log-probabilities of the token
and of the weights, so a test can compute what any completion must be, however it was cut into requests.
"""

import argparse
import json
import socket
import sys
import threading
import time
import zlib
from collections import defaultdict, deque
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from fake_weights import checksums, join, read_bucket, receive

VOCABULARY = 128
EOS = 0
KNOWN = {"max_new_tokens", "temperature", "top_p", "top_k", "min_p", "repetition_penalty", "stop_token_ids"}
KNOWN |= {"sampling_seed", "ignore_eos"}
ALLOWED = {
    "types",
    "torch",
    "torch._utils",
    "torch.storage",
    "torch.multiprocessing.reductions",
    "builtins",
    "collections",
}


def token_after(ids: list[int], index: int) -> int:
    """The token that follows ``ids`` in completion ``index`` of its group; one in sixteen ends the completion."""
    draw = zlib.crc32(f"{ids[-1]} {len(ids)} {index}".encode())
    return EOS if draw % 16 == 0 else 1 + draw % (VOCABULARY - 1)


def logprob_of(token: int, scale: float) -> float:
    """The log-probability of a token under weights whose scale this is."""
    return -scale * (token % 7 + 1) / 8


def completion(prompt: list[int], index: int, length: int) -> list[int]:
    """What a completion must be, in one piece."""
    ids = list(prompt)
    while len(ids) < len(prompt) + length:
        ids.append(token_after(ids, index))
        if ids[-1] == EOS:
            break
    return ids[len(prompt) :]


class Request:
    def __init__(self, rid):
        self.rid = rid
        self.output = []
        self.logprobs = []
        self.changes = []  # (label before, tokens then)
        self.aborted = False
        self.retractions = 0


class FakeSGLang:
    """One server; without ``sessions``, of a release like 0.5.17, which has no ``/ready`` either.

    ``faults`` are taken in order by ``/generate`` calls, ``refuse[path]`` by calls of that path.
    """

    def __init__(
        self,
        model_path,
        *,
        port=0,
        label="default",
        token_delay_s=0.0,
        deterministic=False,
        sessions=True,
        weights=None,
    ):
        self.model_path = str(model_path)
        self.token_delay_s = token_delay_s
        self.deterministic = deterministic
        self.sessions = sessions
        self.initial = dict(weights or {})
        self.faults = deque()
        self.refuse = defaultdict(deque)
        self.requests = []
        self.headers = []
        self.aborts = []
        self.calls = []
        self.most_running = 0
        self.disturbed = 0  # requests that a fault left without a whole answer
        self.groups = {}
        self.lie = None
        self.port = port
        self.first_label = label
        self.start()

    # -- life

    def start(self):
        self.lock = threading.Condition()
        self.running = {}
        self.paused = None
        self.session = False
        self.label = self.first_label
        self.weights = dict(self.initial)
        self.connections = set()
        self.dead = False
        self.httpd = ThreadingHTTPServer(("127.0.0.1", self.port), handler(self), bind_and_activate=False)
        self.httpd.daemon_threads = True
        self.httpd.request_queue_size = 256
        self.httpd.server_bind()
        self.httpd.server_activate()
        self.port = self.httpd.server_port
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self.httpd.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def crash(self):
        """Everything is gone at once: the port, the connections, the weights."""
        with self.lock:
            if self.dead:
                return
            self.dead = True
            connections = list(self.connections)
            self.lock.notify_all()
        self.httpd.shutdown()
        self.httpd.server_close()
        for connection in connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    @property
    def scale(self):
        weight = self.weights.get("model.norm.weight")
        return 1.0 if weight is None else float(weight[0])

    # -- generation

    def generate(self, body):  # noqa: PLR0911 - one return for each way a request can end
        parameters = body.get("sampling_params", {})
        unknown = set(parameters) - KNOWN
        if unknown:
            return 400, {"error": f"unknown field `{unknown.pop()}`, expected one of ..."}
        fault = self.faults.popleft() if self.faults else None
        if callable(fault):
            fault = fault(body)
        if isinstance(fault, tuple) or fault in ("drop", "drop_after"):
            self.disturbed += 1
        if fault == "drop":
            return None
        if isinstance(fault, tuple):
            return fault
        ids, rid = list(body["input_ids"]), body["rid"]
        if any(token >= VOCABULARY for token in ids):
            self.crash()
            return None
        request = Request(rid)
        with self.lock:
            if rid in self.running:
                return 400, {"error": {"message": f"Duplicate request ID detected: {rid}"}}
            self.lock.wait_for(lambda: self.paused is None or self.dead)
            self.running[rid] = request
            self.most_running = max(self.most_running, len(self.running))
        try:
            limit = parameters["max_new_tokens"]
            finish = self.sample(request, ids, parameters, limit // 2 if fault in ("abort", "crash") else limit)
            if fault == "crash":
                self.crash()
            elif fault == "abort" and finish["type"] == "length":
                self.disturbed += 1
                finish = {"type": "abort", "message": "Aborted", "status_code": None, "err_type": None}
        finally:
            with self.lock:
                self.running.pop(rid, None)
                self.lock.notify_all()
        if self.dead or fault == "drop_after":
            return None
        return 200, self.answer(request, len(ids), finish, fault)

    def sample(self, request, ids, parameters, limit):
        index = int(request.rid.split("_t")[1].split("_r")[0])
        stops = {*parameters.get("stop_token_ids", ()), EOS}
        while len(request.output) < limit:
            if self.token_delay_s:
                time.sleep(self.token_delay_s)
            with self.lock:
                self.lock.wait_for(lambda: self.paused in {None, "abort"} or request.aborted or self.dead)
                if self.dead:
                    return None
                if request.aborted:
                    return {"type": "abort", "message": "Aborted", "status_code": None, "err_type": None}
                token = token_after(ids + request.output, index)
                request.output.append(token)
                request.logprobs.append(logprob_of(token, self.scale))
            if token in stops:
                return {"type": "stop", "matched": token}
        return {"type": "length", "length": limit}

    def answer(self, request, prompt_tokens, finish, fault):
        count = len(request.output)
        spans = []
        for label, end in [*request.changes, (self.label, count)]:
            if spans and end <= spans[-1]["end"]:
                continue
            spans.append({"version": label, "start": spans[-1]["end"] if spans else 0, "end": end})
        meta = {
            "id": request.rid,
            "finish_reason": finish,
            "prompt_tokens": prompt_tokens,
            "completion_tokens": count,
            "weight_version": spans[-1]["version"],
            "weight_versions": spans,
            "num_retractions": request.retractions,
            "output_token_logprobs": [
                [logprob, token, None] for logprob, token in zip(request.logprobs, request.output, strict=True)
            ],
        }
        body = {"text": "", "output_ids": request.output, "meta_info": meta}
        if isinstance(fault, dict):
            fault["edit"](body)
        return body

    # -- control

    def control(self, method, path, body):
        self.calls.append((path, body))
        if self.refuse[path]:
            planned = self.refuse[path].popleft()
            if planned is not None:
                return planned(self) if callable(planned) else planned
        name = path.strip("/").replace("-", "_")
        action = getattr(self, f"do_{name}", None)
        if action is None or (not self.sessions and name in {"begin_weight_update", "end_weight_update", "ready"}):
            return 404, {"detail": "Not Found"}
        return action(body or {})

    def do_ready(self, _):
        return 200, None

    def do_health(self, _):
        # The first time it is starting.
        is_up = sum(path == "/health" for path, _ in self.calls) > 1
        return (200 if is_up else 503), None

    def do_model_info(self, _):
        return 200, {"model_path": self.model_path, "weight_version": self.lie or self.label}

    def do_server_info(self, _):
        return 200, {
            "version": "0.5.23",
            "tp_size": 1,
            "device": "cpu",
            "max_req_input_len": 64,
            "enable_deterministic_inference": self.deterministic,
        }

    def do_abort_request(self, body):
        rid, everything = body.get("rid", ""), body.get("abort_all", False)
        self.aborts.append("*" if everything else rid)
        with self.lock:
            if everything or rid in self.running:  # the scheduler then matches by prefix
                for other in self.running.values():
                    other.aborted = other.aborted or everything or other.rid.startswith(rid)
            self.lock.notify_all()
        return 200, None

    def do_pause_generation(self, body):
        mode = body.get("mode", "abort")
        with self.lock:
            self.paused = mode
            if mode == "abort":
                for request in self.running.values():
                    request.aborted = True
                self.lock.notify_all()
                self.lock.wait_for(lambda: not self.running or self.dead, timeout=10)
            elif mode == "retract":
                for request in self.running.values():
                    request.retractions += 1
        return 200, {"message": "Generation paused successfully.", "status": "ok"}

    def do_continue_generation(self, _):
        with self.lock:
            self.paused = None
            self.lock.notify_all()
        return 200, {"message": "Generation continued successfully.", "status": "ok"}

    def do_begin_weight_update(self, _):
        if self.session:
            return 400, {"success": False, "message": "a weight-update session is already open"}
        self.session = True
        return 200, {"success": True, "message": "Success"}

    def do_end_weight_update(self, _):
        if not self.session:
            return 400, {"success": False, "message": "no weight-update session is open"}
        self.session = False
        return 200, {"success": True, "message": "Success"}

    def do_update_weights_from_tensor(self, body):
        loaded = read_bucket(body["serialized_named_tensors"][0])
        return self.load(loaded, body)

    def do_update_weights_from_disk(self, body):
        from safetensors.torch import load_file

        loaded = [
            pair for file in sorted(Path(body["model_path"]).glob("*.safetensors")) for pair in load_file(file).items()
        ]
        if not loaded:
            return 400, {"success": False, "message": "Failed to get weights iterator: no safetensors"}
        return self.load(loaded, body, session=False)

    def do_destroy_weights_update_group(self, body):
        import torch.distributed as dist

        dist.destroy_process_group(self.groups.pop(body["group_name"]))
        return 200, {"success": True, "message": "Succeeded to destroy custom process group."}

    def do_init_weights_update_group(self, body):
        self.groups[body["group_name"]] = join(body)
        return 200, {"success": True, "message": "Succeeded to initialize custom process group."}

    def do_update_weights_from_distributed(self, body):
        if not self.session:
            return 400, {"success": False, "message": "must run between begin_weight_update() and end_weight_update()"}
        return self.load(receive(body, self.groups[body["group_name"]]), body)

    def load(self, loaded, body, *, session=True):
        if session and self.sessions and not self.session:
            return 400, {"success": False, "message": "must run between begin_weight_update() and end_weight_update()"}
        with self.lock:
            self.weights.update(loaded)
            label = body.get("weight_version")
            if label is not None and label != self.label:
                for request in self.running.values():
                    if request.output:
                        request.changes.append((self.label, len(request.output)))
                self.label = label
            if body.get("flush_cache", True) and self.running and self.paused != "retract":
                return 400, {
                    "success": False,
                    "message": "Weights were updated, but the cache was not flushed because ...",
                }
        return 200, {"success": True, "message": "Success", "num_paused_requests": 0}

    def do_weights_checker(self, _):
        return 200, {"success": True, "message": "Success.", "ranks": [{"checksums": checksums(self.weights)}]}


def handler(fake):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self):
            super().setup()
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            fake.connections.add(self.connection)

        def finish(self):
            fake.connections.discard(self.connection)
            with suppress(OSError):
                super().finish()

        def log_message(self, *_):
            return

        def do_GET(self):
            self.serve()

        def do_POST(self):
            self.serve()

        def serve(self):
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            body = json.loads(raw) if raw else None
            if self.path == "/generate":
                fake.requests.append(body)
                fake.headers.append(dict(self.headers))
                outcome = fake.generate(body)
            else:
                outcome = fake.control(self.command, self.path, body)
            if outcome is None or fake.dead:
                self.close_connection = True
                with suppress(OSError):
                    self.connection.shutdown(socket.SHUT_RDWR)
                return
            status, content = outcome
            payload = b"" if content is None else json.dumps(content).encode()
            with suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

    return Handler


def install(site):
    """Makes ``python -m sglang.launch_server`` start the fake for whoever has ``site`` on its path."""
    package = site / "sglang"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "launch_server.py").write_text(
        f"import runpy, sys\nsys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        f"runpy.run_path({__file__!r}, run_name='__main__')\n"
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model-path", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--weight-version", default="default")
    parser.add_argument("--fail", action="store_true")
    arguments, _ = parser.parse_known_args()
    print("fake sglang starts:", *sys.argv[1:], flush=True)
    if arguments.fail:
        sys.exit("cannot start: no such model")
    global VOCABULARY  # noqa: PLW0603 - of the model it is started with
    config = Path(arguments.model_path) / "config.json"
    if config.exists():
        VOCABULARY = min(VOCABULARY, json.loads(config.read_text()).get("vocab_size", VOCABULARY))
    fake = FakeSGLang(arguments.model_path, port=arguments.port, label=arguments.weight_version, token_delay_s=0.002)
    while not fake.dead:
        time.sleep(0.05)


if __name__ == "__main__":
    main()
