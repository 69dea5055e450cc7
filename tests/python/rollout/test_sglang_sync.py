"""Weights reach (fake) servers whole, labelled and checked, or the run stops; every token's version is the true one."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from assay.errors import InvalidInputError, UnavailableError
from assay.rollout import SamplingParams, SGLangGenerator
from assay.rollout.sglang import SyncOptions
from assay.rollout.sglang.client import SGLangClient

FAKE = Path(__file__).with_name("fake_sglang.py")
PROMPTS = [np.array(ids, dtype=np.uint32) for ids in ([5, 9, 3], [7], [1, 2, 3, 4], [90, 80])]
PATHS = ["shared_memory", "value", "disk"]


def weights(version):
    """Weights of a small Llama whose norm scales the fake's log-probabilities by ``1 + version``."""
    draw = torch.Generator().manual_seed(version)
    layer = "model.layers.0"
    shapes = {
        "model.embed_tokens.weight": (100, 8),  # not a multiple of what the server pads to
        f"{layer}.self_attn.q_proj.weight": (8, 8),
        f"{layer}.self_attn.k_proj.weight": (4, 8),
        f"{layer}.self_attn.v_proj.weight": (4, 8),
        f"{layer}.mlp.gate_proj.weight": (16, 8),
        f"{layer}.mlp.up_proj.weight": (16, 8),
    }
    found = {name: torch.randn(shape, generator=draw) for name, shape in shapes.items()}
    found["model.layers.0.mlp.down_proj.weight"] = torch.randn((8, 16), generator=draw).bfloat16()
    found["model.norm.weight"] = torch.full((8,), 1.0 + version)
    return found


def push(generator, version):
    held = weights(version)
    generator.update_weights(version, held.items)


def run(generator, length=12, group_size=2):
    groups = generator.generate(PROMPTS, group_size=group_size, sampling=SamplingParams(length), seed=0)
    return [rollout for group in sorted(groups, key=lambda group: group.group_id) for rollout in group.rollouts]


def assert_true_versions(rollouts, fake_module, length):
    for rollout in rollouts:
        expected = fake_module.completion(rollout.prompt_ids.tolist(), rollout.index, length)
        assert rollout.token_ids.tolist() == expected
        assert [span.start for span in rollout.spans()] == [0, *[span.end for span in rollout.spans()]][:-1]
        assert rollout.spans()[-1].end == len(expected)
        assert rollout.weight_version == min(span.version for span in rollout.spans())
        for version, start, end in rollout.spans():
            scaled = [fake_module.logprob_of(token, 1.0 + version) for token in expected[start:end]]
            np.testing.assert_allclose(rollout.logprobs[start:end], scaled, rtol=1e-6)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("bucket_bytes", [1, 600, 2**20])
def test_every_path_brings_every_byte(fake_server, fake_module, path, bucket_bytes, tmp_path):
    servers = [fake_server(), fake_server()]
    sync = SyncOptions(path=path, bucket_bytes=bucket_bytes, directory=tmp_path / "weights", verify="always")
    with SGLangGenerator([server.url for server in servers], sync=sync) as generator:
        assert generator.weight_version == 0
        for version in (1, 2):
            push(generator, version)
            assert generator.weight_version == version
            for server in servers:
                assert server.weights.keys() == weights(version).keys()
                assert all(torch.equal(server.weights[name], tensor) for name, tensor in weights(version).items())
                assert not server.session
                assert server.paused is None
            rollouts = run(generator)
            assert {span.version for rollout in rollouts for span in rollout.spans()} == {version}
            assert_true_versions(rollouts, fake_module, 12)
        report = generator.sync_reports[-1]
    assert (report.version, report.path, report.servers, report.tensors) == (2, path, 2, 8)
    assert report.bytes == sum(tensor.nbytes for tensor in weights(2).values())
    assert (report.verified, report.unverified) == (5, 0), "fused tensors count once"
    assert min(report.pause_s, report.transfer_s, report.verify_s, report.resume_s) >= 0
    assert report.total_s >= report.transfer_s
    folders = list((tmp_path / "weights").glob("*"))
    assert len(folders) == (path == "disk"), "only the current version stays"


def test_labels_are_new_each_time(fake_server):
    server = fake_server()
    with SGLangGenerator(server.url) as generator:
        labels = []
        for version in (3, 3, 1):
            push(generator, version)
            labels.append(server.label)
        assert len(set(labels)) == 3
        assert [label.split("@")[0] for label in labels] == ["3", "3", "1"]
        assert {rollout.weight_version for rollout in run(generator)} == {1}


@pytest.mark.parametrize("pause", ["retract", "abort", "in_place"])
def test_versions_of_an_update_in_flight(fake_server, fake_module, pause):
    servers = [fake_server(token_delay_s=0.01), fake_server(token_delay_s=0.01)]
    with SGLangGenerator([server.url for server in servers], sync=SyncOptions(pause=pause)) as generator:
        rollouts = []
        worker = threading.Thread(target=lambda: rollouts.extend(run(generator, 40)))
        worker.start()
        for version in (1, 2):
            time.sleep(0.1)
            push(generator, version)
        worker.join()
    assert len(rollouts) == 8
    assert_true_versions(rollouts, fake_module, 40)
    assert any([span.version for span in rollout.spans()] == [0, 1, 2] for rollout in rollouts)
    modes = {body["mode"] for server in servers for path, body in server.calls if path == "/pause_generation"}
    assert modes == {pause}


def test_the_cache_of_old_weights_is_dropped_unless_it_is_in_use(fake_server):
    for pause, flushed in (("retract", True), ("abort", True), ("in_place", False)):
        server = fake_server()
        with SGLangGenerator(server.url, sync=SyncOptions(pause=pause, bucket_bytes=1)) as generator:
            push(generator, 1)
        updates = [body for path, body in server.calls if path == "/update_weights_from_tensor"]
        assert [body["flush_cache"] for body in updates] == [False] * 7 + [flushed]
        assert [body["weight_version"] is None for body in updates] == [True] * 7 + [False]
        assert not any(body["abort_all_requests"] for body in updates)


def test_no_prefix_is_shared_across_versions(fake_server):
    server = fake_server()
    keys = []
    with SGLangGenerator(server.url, sync=SyncOptions(pause="in_place")) as generator:
        for version in (1, 2):
            run(generator)
            keys.append({request["extra_key"] for request in server.requests})
            server.requests.clear()
            push(generator, version)
    assert [len(key) for key in keys] == [1, 1]
    assert keys[0] != keys[1]


FAILURES = {
    "pause refused": ("/pause_generation", (500, None), "HTTP 500"),
    "begin refused": ("/begin_weight_update", (400, {"success": False, "message": "not now"}), "not now"),
    "update refused": (
        "/update_weights_from_tensor",
        (400, {"success": False, "message": "no such name"}),
        "no such name",
    ),
    "update lost": ("/update_weights_from_tensor", lambda server: None, "connection lost"),
    "end refused": ("/end_weight_update", (400, {"success": False, "message": "no session"}), "no session"),
    "success false": ("/update_weights_from_tensor", (200, {"success": False, "message": "shape"}), "shape"),
    "checksum endpoint broken": (
        "/weights_checker",
        (400, {"success": False, "message": "no memory"}),
        "no memory.*does without checksums",
    ),
    "nothing to compare": ("/weights_checker", (200, {"success": True, "ranks": []}), "no checksum"),
    "resume refused": ("/continue_generation", (500, None), "HTTP 500"),
    "crash": ("/update_weights_from_tensor", lambda server: server.crash(), "connection lost"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failed_sync_stops_everything_until_one_succeeds(fake_server, fake_module, name):
    path, planned, words = FAILURES[name]
    servers = [fake_server(token_delay_s=0.005), fake_server(token_delay_s=0.005)]
    sync = SyncOptions(verify="always")
    with SGLangGenerator([server.url for server in servers], sync=sync, max_retries=1) as generator:
        push(generator, 1)
        failures, started = [], threading.Event()

        def consume():
            try:
                for group in generator.generate(PROMPTS * 4, group_size=2, sampling=SamplingParams(60), seed=0):
                    started.set()
                    failures.append(group)
            except UnavailableError as error:
                failures.append(error)

        worker = threading.Thread(target=consume)
        worker.start()
        started.wait(10)
        servers[1].refuse[path].append(planned)
        with pytest.raises(UnavailableError, match=rf"weights of version 2 did not reach the servers: .*{words}"):
            push(generator, 2)
        worker.join()
        assert isinstance(failures[-1], UnavailableError), "what was in flight has weights of unknown version"
        with pytest.raises(UnavailableError, match="version 2 did not reach"):
            run(generator)
        assert generator.weight_version == 1
        assert len(generator.sync_reports) == 1
        if servers[1].dead:
            servers[1].start()
        assert all(server.paused is None and not server.session and not server.running for server in servers)
        push(generator, 3)
        rollouts = run(generator)
    assert {rollout.weight_version for rollout in rollouts} == {3}
    assert_true_versions(rollouts, fake_module, 12)


def test_wrong_bytes_are_found(fake_server):
    server = fake_server()

    def corrupt(server):
        server.weights["model.layers.0.self_attn.k_proj.weight"][0, 0] += 1
        server.refuse["/weights_checker"].clear()
        return server.do_weights_checker({})

    with SGLangGenerator(server.url) as generator:
        server.refuse["/weights_checker"].append(corrupt)
        with pytest.raises(
            UnavailableError, match=r"1 of 5 tensors differ \(model.layers.0.self_attn.qkv_proj.weight\)"
        ):
            push(generator, 1)
        push(generator, 2)
        server.weights["model.norm.weight"] += 1
        with pytest.raises(UnavailableError, match=r"model\.norm\.weight"):
            generator.verify_weights(lambda: weights(2).items())


def test_checksums_are_compared_when_asked_for(fake_server):
    for verify, checks in (("first", 1), ("always", 3), ("never", 0)):
        server = fake_server()
        with SGLangGenerator(server.url, sync=SyncOptions(verify=verify)) as generator:
            for version in (1, 2, 3):
                push(generator, version)
            assert sum(path == "/weights_checker" for path, _ in server.calls) == checks
            assert generator.sync_reports[-1].verified == (5 if verify == "always" else 0)
            assert generator.verify_weights(lambda: weights(3).items()).equal == 5


def test_a_server_that_keeps_its_old_label_is_not_believed(fake_server):
    server = fake_server()
    with SGLangGenerator(server.url) as generator:
        server.lie = "default"
        with pytest.raises(UnavailableError, match="serves weights 'default' after it was given '1@"):
            push(generator, 1)


def test_an_error_of_the_learner_passes_unchanged(fake_server):
    server = fake_server()

    def broken():
        yield "model.norm.weight", torch.ones(8)
        raise KeyError("no such layer")

    with SGLangGenerator(server.url) as generator:
        with pytest.raises(KeyError, match="no such layer"):
            generator.update_weights(1, broken)
        assert server.paused is None
        assert not server.session
        with pytest.raises(UnavailableError, match="interrupted"):
            run(generator)
        push(generator, 2)
        run(generator)


@pytest.mark.parametrize("path", PATHS)
def test_a_restarted_server_gets_its_weights_back(fake_server, fake_module, path):
    server = fake_server(token_delay_s=0.002)
    sync = SyncOptions(path=path, bucket_bytes=600)
    with SGLangGenerator(server.url, sync=sync, ready_timeout_s=10, max_in_flight=8) as generator:
        push(generator, 1)
        server.faults.extend([None] * 2 + ["crash"])

        def come_back():
            while not server.dead:
                time.sleep(0.01)
            time.sleep(0.3)
            server.start()

        threading.Thread(target=come_back).start()
        rollouts = run(generator, 30)
        assert server.label.startswith("1@")
        assert_true_versions(rollouts, fake_module, 30)
        assert {span.version for rollout in rollouts for span in rollout.spans()} == {1}
        push(generator, 2)
        assert {rollout.weight_version for rollout in run(generator)} == {2}


def test_a_server_that_silently_restarted_is_caught_by_its_answers(fake_server, fake_module):
    server = fake_server(weights={"model.norm.weight": torch.full((8,), 100.0)})
    with SGLangGenerator(server.url) as generator:
        push(generator, 1)
        server.crash()
        server.start()
        rollouts = run(generator)
        assert_true_versions(rollouts, fake_module, 12)
        assert {rollout.weight_version for rollout in rollouts} == {1}


def test_a_restart_without_a_kept_copy_ends_the_run(fake_server):
    server = fake_server()
    with SGLangGenerator(server.url, sync=SyncOptions(keep=False)) as generator:
        push(generator, 1)
        server.crash()
        server.start()
        with pytest.raises(UnavailableError, match="were not kept"):
            run(generator)
        push(generator, 2)
        run(generator)


def test_a_server_that_changed_before_any_push_is_not_used(fake_server):
    server = fake_server()
    with SGLangGenerator(server.url) as generator:
        server.label = "other"
        with pytest.raises(UnavailableError, match="came back with weights 'other', not 'default'"):
            run(generator)


def test_releases_without_sessions(fake_server, fake_module):
    server = fake_server(sessions=False)
    with SGLangGenerator(server.url) as generator:
        push(generator, 1)
        assert_true_versions(run(generator), fake_module, 12)
    # Nor do they say whether they are ready; that they are healthy they say only after the start.
    assert [path for path, _ in server.calls[:4]] == ["/ready", "/health", "/ready", "/health"]


def test_a_release_that_does_not_say_whether_it_is_ready(fake_server):
    server = fake_server(sessions=False)
    client = SGLangClient(server.url)
    assert [client.ready(), client.ready(), client.ready()] == [False, True, True]
    # Asked for its health it would generate, and wait where it is paused.
    assert [path for path, _ in server.calls[-2:]] == ["/ready", "/model_info"]
    server.crash()
    assert not client.ready()


def test_a_session_that_a_dead_learner_left_is_ended(fake_server, fake_module):
    server = fake_server()
    server.do_pause_generation({"mode": "retract"})
    server.do_begin_weight_update({})
    with SGLangGenerator(server.url) as generator:
        push(generator, 1)
        assert_true_versions(run(generator), fake_module, 12)


def test_automatic_path(fake_server):
    server = fake_server()
    with SGLangGenerator(server.url) as generator:
        push(generator, 1)
        assert generator.sync_reports[0].path == "shared_memory"
    with SGLangGenerator(server.url.replace("127.0.0.1", "localhost")) as generator:
        push(generator, 1)
        assert generator.sync_reports[0].path == "shared_memory"


def test_closing_ends_waiting_consumers(fake_server):
    server = fake_server(token_delay_s=0.02)
    generator = SGLangGenerator(server.url)
    groups = generator.generate(PROMPTS, group_size=2, sampling=SamplingParams(60), seed=0)
    threading.Timer(0.2, generator.close).start()
    rollouts = [rollout for group in groups for rollout in group.rollouts]
    assert any(rollout.finish_reason == "abort" for rollout in rollouts)
    with pytest.raises(UnavailableError, match="was closed"):
        run(generator)
    with pytest.raises(UnavailableError, match="was closed"):
        push(generator, 1)


def test_options_are_checked():
    for field, value in (("path", "carrier pigeon"), ("pause", "stop"), ("verify", "maybe"), ("backend", "mpi")):
        with pytest.raises(InvalidInputError, match=rf"sync.{field} is '{value}': give one of"):
            SyncOptions(**{field: value})
    with pytest.raises(InvalidInputError, match="bucket_bytes"):
        SyncOptions(bucket_bytes=0)


@pytest.fixture
def processes(model_path):
    """Two fake servers in processes of their own, as a process group needs."""
    import socket

    started, urls = [], []
    for _ in range(2):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, str(FAKE), "--model-path", str(model_path), "--port", str(port)]
        started.append(subprocess.Popen(command, stdout=subprocess.DEVNULL))
        urls.append(f"http://127.0.0.1:{port}")
    yield urls
    for process in started:
        process.kill()
        process.wait()


@pytest.fixture(params=["alone", "beside the learner's own group"])
def default_group(request):
    if request.param == "alone":
        yield
        return
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("default_group")
def test_distributed(processes, fake_module):
    sync = SyncOptions(path="distributed", bucket_bytes=600, verify="always", group_timeout_s=30)
    with SGLangGenerator(processes, sync=sync) as generator:
        for version in (1, 2):
            push(generator, version)
            rollouts = run(generator)
            assert {rollout.weight_version for rollout in rollouts} == {version}
            assert_true_versions(rollouts, fake_module, 12)
        report = generator.sync_reports[-1]
    assert (report.path, report.servers, report.tensors, report.verified) == ("distributed", 2, 8, 5)


def test_distributed_refusal_does_not_wait_for_the_group(fake_server):
    server = fake_server()
    server.refuse["/init_weights_update_group"].append((400, {"success": False, "message": "bad backend"}))
    sync = SyncOptions(path="distributed", group_timeout_s=3)
    with SGLangGenerator(server.url, sync=sync) as generator, pytest.raises(UnavailableError, match="bad backend"):
        push(generator, 1)
