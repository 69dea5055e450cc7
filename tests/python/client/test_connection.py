"""How a client reaches its servers: TLS, who it says it is, several connections, and streams of results."""

import asyncio
import math
import pickle
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from opentelemetry import trace

import assay
from assay.client._pb import reward_pb2

# Made for these tests and good for nothing else: an authority, a server and a client.
CERTIFICATES = Path(__file__).parent / "certificates"
CA, CERTIFICATE, KEY = (CERTIFICATES / name for name in ("ca.pem", "client.pem", "client.key"))


class Told:
    """A server that scores everything 1, lets in whom `allow` likes, and keeps what it was told."""

    def __init__(self, allow: Callable[[dict[str, Any]], bool] = lambda _: True) -> None:
        self.metadata: list[dict[str, Any]] = []
        self.peers: set[str] = set()

        def score(request: reward_pb2.ScoreRequest, context: grpc.ServicerContext) -> reward_pb2.ScoreResponse:
            self.peers.add(context.peer())
            self.metadata.append(dict(context.invocation_metadata()))
            if not allow(self.metadata[-1]):
                context.abort(grpc.StatusCode.UNAUTHENTICATED, "no token that this server knows")
            scored = reward_pb2.Scored(total=1.0)
            results = [reward_pb2.ItemResult(scored=scored) for _ in request.items]
            return reward_pb2.ScoreResponse(components=["accuracy"], results=results)

        method = grpc.unary_unary_rpc_method_handler(
            score,
            request_deserializer=reward_pb2.ScoreRequest.FromString,
            response_serializer=reward_pb2.ScoreResponse.SerializeToString,
        )
        self.server = grpc.server(ThreadPoolExecutor(4))
        service = grpc.method_handlers_generic_handler("assay.v1.RewardService", {"Score": method})
        self.server.add_generic_rpc_handlers((service,))

    def start(self, credentials: grpc.ServerCredentials | None = None) -> str:
        """The address."""
        if credentials is None:
            port = self.server.add_insecure_port("127.0.0.1:0")
        else:
            port = self.server.add_secure_port("127.0.0.1:0", credentials)
        self.server.start()
        return f"127.0.0.1:{port}"


@pytest.fixture
def telling() -> Iterator[Callable[..., Told]]:
    running: list[Told] = []

    def make(*arguments: Any) -> Told:
        running.append(Told(*arguments))
        return running[-1]

    yield make
    for one in running:
        one.server.stop(None)


def credentials(*, mutual: bool) -> grpc.ServerCredentials:
    pair = ((CERTIFICATES / "server.key").read_bytes(), (CERTIFICATES / "server.pem").read_bytes())
    authorities = CA.read_bytes() if mutual else None
    return grpc.ssl_server_credentials([pair], root_certificates=authorities, require_client_auth=mutual)


def test_a_token_from_each_place(telling: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server = telling(lambda metadata: metadata.get("authorization") == "Bearer open sesame")
    address = server.start()
    monkeypatch.delenv("ASSAY_TOKEN", raising=False)
    with pytest.raises(assay.UnavailableError, match="no token that this server knows") as raised:
        assay.connect(address, "accuracy", token="sk-wrong").score(["a"], ["a"])
    assert "sk-wrong" not in str(raised.value)
    file = tmp_path / "token"
    file.write_text("open sesame\n", encoding="utf-8")
    of_argument = assay.connect(address, "accuracy", token="open sesame", tenant="team-a")
    of_file = pickle.loads(pickle.dumps(assay.connect(address, "accuracy", token_file=file)))
    monkeypatch.setenv("ASSAY_TOKEN", "open sesame")
    for remote in (of_argument, of_file, assay.connect(address, "accuracy")):
        assert remote.score(["a"], ["a"]).total.tolist() == [1.0]
        assert "sesame" not in repr(remote)
        assert "sesame" not in repr(remote.__dict__)
    assert server.metadata[1]["assay-tenant"] == "team-a"


def test_tls(telling: Any) -> None:
    address = telling().start(credentials(mutual=False))
    assert assay.connect(address, "accuracy", ca=CA).score(["a"], ["a"]).total.tolist() == [1.0]
    named = assay.connect(address, "accuracy", ca=CA, server_name="rewards.test")
    assert named.score(["a"], ["a"]).total.tolist() == [1.0]
    for wrong in ({"ca": CA, "server_name": "other.test"}, {"ca": CERTIFICATES / "client.pem"}, {}):
        with pytest.raises(assay.UnavailableError, match="no reward server answers"):
            assay.connect(address, "accuracy", timeout=20, **wrong).score(["a"], ["a"])


def test_mutual_tls(telling: Any) -> None:
    address = telling().start(credentials(mutual=True))
    both = assay.connect(address, "accuracy", ca=CA, certificate=CERTIFICATE, key=KEY)
    assert both.score(["a"], ["a"]).total.tolist() == [1.0]
    with pytest.raises((assay.UnavailableError, assay.DeadlineError)):
        assay.connect(address, "accuracy", ca=CA, timeout=20).score(["a"], ["a"])


def test_several_connections(telling: Any) -> None:
    for channels in (1, 3):
        server = telling()
        remote = assay.connect(server.start(), "accuracy", channels=channels, balance="least_outstanding")
        assert remote.score(["a"] * 3000, ["a"] * 3000).total.sum() == 3000
        assert len(server.peers) == channels


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"certificate": CERTIFICATE}, "give both"),
        ({"token": "a", "token_file": CA}, "give one"),
        ({"token": "two\nlines"}, "token: "),
        ({"channels": 0}, "channels"),
        ({"balance": "random"}, "balance"),
        ({"ca": "/nowhere/ca.pem"}, "ca: /nowhere/ca.pem"),
        ({"token_file": "/nowhere/token"}, "token_file: /nowhere/token"),
    ],
)
def test_options_that_are_wrong(options: dict[str, Any], message: str) -> None:
    with pytest.raises(assay.InvalidInputError, match=message):
        assay.connect("127.0.0.1:1", "accuracy", **options)


def test_when_all_are_gone_each_is_named() -> None:
    addresses = []
    for _ in range(2):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            addresses.append(f"127.0.0.1:{listener.getsockname()[1]}")
    with pytest.raises(assay.UnavailableError) as raised:
        assay.connect(addresses, "accuracy", timeout=20).score(["a"], ["a"])
    for address in addresses:
        assert f"{address}: " in str(raised.value)


def test_a_stream_gives_every_part_once(server: Any) -> None:
    rows = [str(index) for index in range(1000)]
    references = ["7"] * 1000
    expected = assay.Scorer("accuracy").score(rows, references).total
    remote = assay.connect(server.address, "accuracy")
    seen: dict[int, float] = {}
    for part, scores in remote.score_stream(rows, references, size=30, window=4):
        assert len(part) == len(scores) <= 30
        seen |= dict(zip(part, scores.total.tolist(), strict=True))
    assert [seen[index] for index in range(1000)] == expected.tolist()
    assert list(remote.score_stream([], [])) == []

    async def together() -> float:
        return sum([scores.total.sum() async for _, scores in remote.ascore_stream(rows, references)])

    assert asyncio.run(together()) == 1.0


def test_leaving_a_stream_gives_it_up(server: Any) -> None:
    remote = assay.connect(server.address, "accuracy")
    for _, scores in remote.score_stream(["4"] * 1000, ["4"] * 1000, size=10):
        assert math.isclose(scores.total.mean(), 1.0)
        break
    assert remote.score(["4"], ["4"]).total.tolist() == [1.0]
    with pytest.raises(assay.InvalidInputError, match="size and window"):
        remote.score_stream(["4"], ["4"], size=0)
    with pytest.raises(assay.InvalidInputError, match="references has 2"):
        remote.score_stream(["4"], ["4", "5"])


def test_a_server_without_streams_gets_a_request_for_each_part(telling: Any) -> None:
    server = telling()
    remote = assay.connect(server.start(), "accuracy", timeout=20)
    rows = [row for part, _ in remote.score_stream(["4"] * 100, ["4"] * 100, size=30) for row in part]
    assert sorted(rows) == list(range(100))
    assert len(server.metadata) == 4


def test_requests_belong_to_the_active_span(telling: Any) -> None:
    server = telling()
    address = server.start()
    context = trace.SpanContext(
        0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, is_remote=False, trace_flags=trace.TraceFlags(1)
    )
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    remote = assay.connect(address, "accuracy", timeout=20)
    remote.score(["4"], ["4"])
    with trace.use_span(trace.NonRecordingSpan(context)):
        remote.score(["4"], ["4"])
        asyncio.run(remote.ascore(["4"], ["4"]))
        list(remote.score_stream(["4"], ["4"]))
    traced = assay.connect(address, "accuracy", timeout=20, trace=True)
    for _ in range(2):
        traced.score(["4"], ["4"])
    found = [metadata.get("traceparent") for metadata in server.metadata]
    assert found[:4] == [None, parent, parent, parent]
    assert found[4] != found[5]
    assert all(len(one) == len(parent) for one in found[4:])


def test_scoring_here_while_no_server_answers(byte_tokenizer: Any, tokenizer_file: Path) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    arguments = (["It is 4.", "It is 5."], ["4", "4"])
    remote = pickle.loads(pickle.dumps(assay.connect(address, "accuracy", fallback="local", tokenizer=tokenizer_file)))
    with pytest.warns(RuntimeWarning, match="scoring in this process: no reward server answers"):
        assert remote.score(*arguments).total.tolist() == [1.0, 0.0]
    with pytest.warns(RuntimeWarning, match="scoring in this process"):
        assert asyncio.run(remote.ascore(*arguments)).total.tolist() == [1.0, 0.0]
    ids = np.array(byte_tokenizer.encode("It is 4.").ids, dtype=np.uint32)
    with pytest.warns(RuntimeWarning, match="scoring in this process"):
        assert remote.score_tokens(ids, np.array([0, len(ids)]), ["4"]).total.tolist() == [1.0]
    with pytest.raises(assay.InvalidInputError, match="fallback"):
        assay.connect(address, "accuracy", fallback="remote")  # pyright: ignore[reportArgumentType]
