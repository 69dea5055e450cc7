"""`RemoteScorer`: ways to call it, and what it says when something is wrong."""

import asyncio
import contextlib
import hashlib
import multiprocessing
import pickle
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tokenizers import Tokenizer

import assay


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_connect_contacts_nobody() -> None:
    remote = assay.connect(f"127.0.0.1:{free_port()}", {"accuracy": 1.0, "format": 0.5})
    assert [component.name for component in remote.spec.components] == ["accuracy", "format"]
    assert "accuracy" in repr(remote)


def test_an_empty_batch(server: Any) -> None:
    scores = assay.connect(server.address, "accuracy").score([], [])
    assert len(scores) == 0
    assert list(scores.components) == ["accuracy"]


def test_asyncio(server: Any) -> None:
    remote = assay.connect(server.address, "accuracy")

    async def together() -> list[assay.Scores]:
        return await asyncio.gather(*(remote.ascore([str(index)] * 600, ["3"] * 600) for index in range(5)))

    totals = [scores.total.mean() for scores in asyncio.run(together())]
    assert totals == [0.0, 0.0, 0.0, 1.0, 0.0]
    # Another loop, the same scorer.
    assert asyncio.run(remote.ascore(["3"], ["3"])).total.tolist() == [1.0]


def test_threads(server: Any) -> None:
    remote = assay.connect(server.address, "accuracy")
    with ThreadPoolExecutor(8) as pool:
        totals = pool.map(lambda index: remote.score([str(index)], [str(index % 2)]).total[0], range(40))
        assert list(totals) == [float(index < 2) for index in range(40)]


def child(remote: Any, queue: Any) -> None:
    queue.put(remote.score(["4", "5"], ["4", "4"]).total.tolist())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_child_processes(server: Any, method: str) -> None:
    remote = assay.connect(server.address, "accuracy")
    assert remote.score(["4"], ["4"]).total.tolist() == [1.0]
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=child, args=(remote, queue))
    process.start()
    assert queue.get(timeout=60) == [1.0, 0.0]
    process.join()
    # And the parent's connection still works.
    assert remote.score(["4"], ["4"]).total.tolist() == [1.0]


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_fork_while_other_threads_score(server: Any) -> None:
    """A child that is forked in the middle of a call has connections of its own, and hangs on no lock of its parent."""
    remote = assay.connect(server.address, "accuracy")
    stop = threading.Event()

    def load() -> None:
        while not stop.is_set():
            assert remote.score(["4"] * 300, ["4"] * 300).total.sum() == 300

    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    with ThreadPoolExecutor(3) as pool:
        running = [pool.submit(load) for _ in range(3)]
        try:
            for _ in range(10):
                process = context.Process(target=child, args=(remote, queue))
                process.start()
                assert queue.get(timeout=60) == [1.0, 0.0]
                process.join()
        finally:
            stop.set()
        for future in running:
            future.result()


def test_chat_messages(server: Any) -> None:
    completions = [[{"role": "assistant", "content": "It is 4."}], "It is 5."]
    local = assay.Scorer("accuracy").score(completions, ["4", "4"])
    assert assay.connect(server.address, "accuracy").score(completions, ["4", "4"]).to_list() == local.to_list()


def test_cancelling_a_task(server: Any) -> None:
    remote = assay.connect(server.address, "accuracy")

    async def give_up() -> None:
        task = asyncio.create_task(remote.ascore(["x" * 10_000] * 5000, ["4"] * 5000))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(give_up())
    assert remote.score(["4"], ["4"]).total.tolist() == [1.0]


def test_several_servers_share_the_work_and_one_may_die(serving: Any) -> None:
    rows = [str(index) for index in range(5000)]
    expected = assay.Scorer("accuracy").score(rows, ["7"] * 5000).total.tobytes()
    with serving() as first, serving() as second:
        remote = assay.connect([first.address, second.address], "accuracy")
        assert remote.score(rows, ["7"] * 5000).total.tobytes() == expected
        first.process.kill()
        first.process.wait(30)
        for _ in range(5):
            assert remote.score(rows, ["7"] * 5000).total.tobytes() == expected
        second.process.kill()
        second.process.wait(30)
        with pytest.raises(assay.UnavailableError, match=f"{first.address},{second.address}"):
            remote.score(rows, ["7"] * 5000)


def test_raw_messages_over_grpc(server: Any) -> None:
    """Whoever wants bare stubs uses grpc and the generated messages."""
    import grpc

    from assay.client._pb import reward_pb2, spec_pb2

    spec = spec_pb2.RewardSpec(components=[spec_pb2.Component(accuracy=spec_pb2.Accuracy())])
    request = reward_pb2.ScoreRequest(spec=spec, items=[reward_pb2.Item(id="a", text="It is 4.", reference="4")])
    with grpc.insecure_channel(server.address) as channel:
        score = channel.unary_unary(
            "/assay.v1.RewardService/Score",
            request_serializer=reward_pb2.ScoreRequest.SerializeToString,
            response_deserializer=reward_pb2.ScoreResponse.FromString,
        )
        response = score(request, timeout=30)
    assert [(result.id, result.scored.total) for result in response.results] == [("a", 1.0)]


def test_pickle(server: Any) -> None:
    remote = pickle.loads(pickle.dumps(assay.connect(server.address, "accuracy", timeout=7)))
    assert remote.timeout == 7
    assert remote.score(["4"], ["4"]).total.tolist() == [1.0]


def test_server_info(server: Any) -> None:
    info = assay.connect(server.address, "accuracy").server_info()
    assert info.version == assay.__version__
    assert {"accuracy", "format", "tags", "length", "repetition"} <= set(info.component_kinds)
    assert len(info.tokenizers) == 1
    assert len(info.spec_schema_sha256) == 64
    assert info.sandbox == "none"


@pytest.mark.parametrize("asynchronous", [False, True])
def test_a_dead_server_is_an_error_and_never_a_reward(asynchronous: bool) -> None:
    address = f"127.0.0.1:{free_port()}"
    remote = assay.connect(address, "accuracy")

    def score() -> assay.Scores:
        return asyncio.run(remote.ascore(["4"], ["4"])) if asynchronous else remote.score(["4"], ["4"])

    with pytest.raises(assay.UnavailableError, match=f"{address}.*assay serve") as raised:
        score()
    assert "\n" not in str(raised.value)


def test_a_server_that_is_stopped_and_started_again(serving: Any) -> None:
    with serving() as first:
        remote = assay.connect(first.address, "accuracy")
        assert remote.score(["4"], ["4"]).total.tolist() == [1.0]
        first.process.send_signal(signal.SIGTERM)
        assert first.process.wait(30) == 0
    with pytest.raises(assay.UnavailableError):
        remote.score(["4"], ["4"])
    with serving("--bind", first.address) as second:
        assert second.address == first.address
        # The connection waits a little between its attempts, so the first calls may still find nobody.
        for _ in range(100):
            with contextlib.suppress(assay.UnavailableError):
                assert remote.score(["4"], ["4"]).total.tolist() == [1.0]
                break
        else:
            pytest.fail("the client never came back")


def test_a_server_that_never_answers() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        remote = assay.connect(f"127.0.0.1:{listener.getsockname()[1]}", "accuracy", timeout=0.3)
        with pytest.raises((assay.DeadlineError, assay.UnavailableError)):
            remote.score(["4"], ["4"])


def test_too_large_is_a_limit(serving: Any) -> None:
    with serving("--max-message-bytes", "10000") as small:
        remote = assay.connect(small.address, "accuracy")
        with pytest.raises(assay.LimitError):
            remote.score(["x" * 20_000], ["4"])
        assert remote.score(["4"], ["4"]).total.tolist() == [1.0]


def test_token_ids_need_a_tokenizer(server: Any, tmp_path: Path) -> None:
    ids, offsets = np.array([1], dtype=np.uint32), np.array([0, 1])
    with pytest.raises(assay.InvalidInputError, match="tokenizer"):
        assay.connect(server.address, "accuracy").score_tokens(ids, offsets, ["4"])
    other = tmp_path / "tokenizer.json"
    other.write_text("{}", encoding="utf-8")
    with pytest.raises(assay.InvalidInputError, match="tokenizer"):
        assay.connect(server.address, "accuracy", tokenizer=other).score_tokens(ids, offsets, ["4"])
    with pytest.raises(assay.InvalidInputError, match="nowhere"):
        assay.connect(server.address, "accuracy", tokenizer="/nowhere/tokenizer.json")


def test_a_server_learns_the_tokenizer_from_its_caller(serving: Any, byte_tokenizer: Tokenizer) -> None:
    ids = [byte_tokenizer.encode(text).ids for text in ("It is 4.", "It is 5.")]
    flat, offsets = np.array(ids[0] + ids[1], dtype=np.uint32), np.array([0, len(ids[0]), len(ids[0]) + len(ids[1])])
    with serving() as first, serving() as second:
        remote = assay.connect([first.address, second.address], "accuracy", tokenizer=byte_tokenizer)
        for _ in range(4):
            assert remote.score_tokens(flat, offsets, ["4", "4"]).total.tolist() == [1.0, 0.0]
        assert asyncio.run(remote.ascore_tokens(flat, offsets, ["4", "4"])).total.tolist() == [1.0, 0.0]


def test_an_id_outside_of_the_vocabulary_is_one_item_on_the_wire(server: Any, tokenizer_file: Path) -> None:
    """And the same exception as in process for users of `RemoteScorer`."""
    import grpc

    from assay.client._pb import reward_pb2, spec_pb2

    good, bad = np.array([5], dtype="<u4").tobytes(), np.array([4_000_000_000], dtype="<u4").tobytes()
    request = reward_pb2.ScoreRequest(
        spec=spec_pb2.RewardSpec(components=[spec_pb2.Component(accuracy=spec_pb2.Accuracy())]),
        tokenizer_sha256=hashlib.sha256(tokenizer_file.read_bytes()).hexdigest(),
        items=[reward_pb2.Item(token_ids=bad if index in (3, 40) else good, reference="4") for index in range(50)],
    )
    with grpc.insecure_channel(server.address) as channel:
        response = channel.unary_unary(
            "/assay.v1.RewardService/Score",
            request_serializer=reward_pb2.ScoreRequest.SerializeToString,
            response_deserializer=reward_pb2.ScoreResponse.FromString,
        )(request, timeout=30)
    malformed = reward_pb2.ERROR_CODE_INVALID_ITEM
    errors = {i: result.error for i, result in enumerate(response.results) if result.error.code == malformed}
    assert list(errors) == [3, 40]
    assert "4000000000" in errors[3].reason

    arguments = np.array([5, 4_000_000_000], dtype=np.uint32), np.array([0, 1, 2]), ["4", "4"]
    with pytest.raises(assay.InvalidInputError) as local:
        assay.Scorer("accuracy", tokenizer=tokenizer_file).score_tokens(*arguments)
    with pytest.raises(assay.InvalidInputError) as remote:
        assay.connect(server.address, "accuracy", tokenizer=tokenizer_file).score_tokens(*arguments)
    assert str(remote.value) == str(local.value)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((["4", "5"], ["4"]), "references"),
        (([4], ["4"]), "completions"),
        ((["4"], [4]), "references"),
        (("4", ["4"]), "completions"),
    ],
)
def test_wrong_arguments(server: Any, arguments: tuple[Any, Any], message: str) -> None:
    remote = assay.connect(server.address, "accuracy")
    with pytest.raises(assay.InvalidInputError, match=message):
        remote.score(*arguments)


@pytest.mark.parametrize(
    ("ids", "offsets", "message"),
    [
        (np.array([1], dtype=np.int32), np.array([0, 1]), "token_ids"),
        (np.array([1], dtype=np.uint32), np.array([0, 1], dtype=np.int32), "offsets"),
        (np.array([1], dtype=np.uint32), np.array([0, 2]), "offsets"),
        (np.array([1], dtype=np.uint32), np.array([1, 1]), "offsets"),
    ],
)
def test_wrong_arrays(server: Any, tokenizer_file: Path, ids: Any, offsets: Any, message: str) -> None:
    remote = assay.connect(server.address, "accuracy", tokenizer=tokenizer_file)
    with pytest.raises(assay.InvalidInputError, match=message):
        remote.score_tokens(ids, offsets, ["4"])


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [("", {}, "target"), ("a:1", {"timeout": 0}, "timeout"), ("a:1", {"timeout": float("nan")}, "timeout")],
)
def test_wrong_options(target: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(assay.InvalidInputError, match=message):
        assay.connect(target, "accuracy", **options)


def test_a_wrong_spec() -> None:
    with pytest.raises(assay.InvalidSpecError, match="did you mean `accuracy`"):
        assay.connect("127.0.0.1:1", "acuracy")


def test_importing_the_client_brings_in_no_grpc() -> None:
    code = "import sys, assay; assay.connect('127.0.0.1:1', 'accuracy'); sys.exit('grpc' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_was_asked_for_is_no_failure(serving: Any, signal_number: int) -> None:
    with serving() as running:
        running.process.send_signal(signal_number)
        assert running.process.wait(30) == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--config", "/nowhere/server.toml"], "/nowhere/server.toml"),
        (["--tokenizer", "/nowhere/tokenizer.json"], "/nowhere/tokenizer.json"),
        (["--bind", "nowhere"], "nowhere"),
    ],
)
def test_bad_usage_of_serve_is_one_line(serve_command: list[str], options: list[str], message: str) -> None:
    result = subprocess.run([*serve_command, *options], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 2
    assert message in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_one_line(serve_command: list[str], server: Any) -> None:
    result = subprocess.run(
        [*serve_command, "--bind", server.address], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert server.address in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_configuration_file(serving: Any, serve_command: list[str], tmp_path: Path) -> None:
    config = tmp_path / "server.toml"
    config.write_text("max_items = 7\nthreads = 3\n", encoding="utf-8")
    with serving("--config", str(config), "--threads", "1") as running:
        info = assay.connect(running.address, "accuracy").server_info()
        assert (info.max_items, info.threads) == (7, 1)
    config.write_text("threads = 1\nmax_item = 7\n", encoding="utf-8")
    result = subprocess.run(
        [*serve_command, "--config", str(config)], capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 2
    assert "line 2" in result.stderr
    assert "max_item" in result.stderr
