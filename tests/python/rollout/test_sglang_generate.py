"""Completions through (fake) SGLang servers: what is asked, what comes back, and what faults may not change."""

import threading
import time

import numpy as np
import pytest

from assay.errors import InvalidInputError, UnavailableError
from assay.rollout import SamplingParams, SGLangGenerator

PROMPTS = [np.array(ids, dtype=np.uint32) for ids in ([5, 9, 3], [7], [1, 2, 3, 4], [90, 80])]
SAMPLING = SamplingParams(max_new_tokens=12)


def run(generator, prompts=PROMPTS, group_size=3, sampling=SAMPLING, **options):
    groups = list(generator.generate(prompts, group_size=group_size, sampling=sampling, seed=0, **options))
    return sorted(groups, key=lambda group: group.group_id)


def assert_exact(groups, fake_module, prompts=PROMPTS, sampling=SAMPLING, scale=1.0):
    """Every completion is there once and is what one undisturbed request would have given."""
    assert [group.group_id for group in groups] == list(range(len(prompts)))
    for group, prompt in zip(groups, prompts, strict=True):
        for index, rollout in enumerate(group.rollouts):
            assert (rollout.group_id, rollout.index) == (group.group_id, index)
            expected = fake_module.completion(prompt.tolist(), index, sampling.max_new_tokens)
            assert rollout.token_ids.tolist() == expected
            assert rollout.token_ids.dtype == np.uint32
            assert rollout.logprobs.dtype == np.float32
            np.testing.assert_allclose(rollout.logprobs, [fake_module.logprob_of(token, scale) for token in expected])
            assert rollout.finish_reason == ("stop" if expected[-1] == fake_module.EOS else "length")
            assert [span.start for span in rollout.spans()] == [0, *[span.end for span in rollout.spans()]][:-1]
            assert rollout.spans()[-1].end == len(expected)


def test_groups_come_back_whole(fake_server, fake_module):
    server = fake_server()
    with SGLangGenerator(server.url) as generator:
        groups = run(generator)
    assert_exact(groups, fake_module)
    assert {rollout.weight_version for group in groups for rollout in group.rollouts} == {0}
    reasons = {rollout.finish_reason for group in groups for rollout in group.rollouts}
    assert reasons == {"stop", "length"}, "the sample has both"
    assert len(server.requests) == 12


def test_what_is_asked(fake_server):
    server = fake_server()
    sampling = SamplingParams(max_new_tokens=4, temperature=0.7, top_p=0.9, stop_token_ids=(17,))
    with SGLangGenerator(server.url, api_key="secret") as generator:
        run(generator, sampling=sampling, first_group_id=40, group_size=2)
    request = server.requests[0]
    assert request["sampling_params"] == {
        "max_new_tokens": 4,
        "temperature": 0.7,
        "top_p": 0.9,
        "top_k": -1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "stop_token_ids": [17],
    }
    assert request["return_logprob"]
    assert "n" not in request["sampling_params"], "with n > 1 the server replaces request ids"
    rids = [request["rid"] for request in server.requests]
    assert len(set(rids)) == len(rids) == 8
    assert not any(a != b and a.startswith(b) for a in rids for b in rids), "the server aborts by prefix"
    keys = [request["routing_key"] for request in server.requests]
    assert {key.split("-")[1] for key in keys} == {"40", "41", "42", "43"}
    assert all(rid.startswith(f"{key}_t") for rid, key in zip(rids, keys, strict=True))
    headers = {name.lower(): value for name, value in server.headers[0].items()}
    assert headers["x-smg-routing-key"] == keys[0]
    assert headers["authorization"] == "Bearer secret"


def test_seeds_are_sent_where_they_count(fake_server):
    server = fake_server(deterministic=True)
    with SGLangGenerator(server.url) as generator:
        run(generator, group_size=2)
        first = [request["sampling_params"]["sampling_seed"] for request in server.requests]
        run(generator, group_size=2)
        again = [request["sampling_params"]["sampling_seed"] for request in server.requests[8:]]
    assert sorted(first) == sorted(again)
    assert len(set(first)) == 8


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        (np.array([], dtype=np.uint32), "shape"),
        (np.array([[1, 2]], dtype=np.uint32), "shape"),
        (np.array([5, 128], dtype=np.uint32), "outside the vocabulary: 5 to 128, allowed 0 to 127"),
        (np.array([-1, 5]), "outside the vocabulary"),
        (np.array([0.5, 5]), "vocabulary"),
        (np.ones(65, dtype=np.uint32), "at most 64"),
    ],
)
def test_bad_prompts_never_reach_the_server(fake_server, prompt, words):
    server = fake_server()
    with SGLangGenerator(server.url) as generator:
        with pytest.raises(InvalidInputError, match=words):
            generator.generate([PROMPTS[0], prompt], group_size=1, sampling=SAMPLING, seed=0)
        with pytest.raises(InvalidInputError, match="group_size"):
            generator.generate(PROMPTS, group_size=0, sampling=SAMPLING, seed=0)
        with pytest.raises(InvalidInputError, match="stop_token_ids"):
            generator.generate(PROMPTS, group_size=1, sampling=SamplingParams(4, stop_token_ids=(128,)), seed=0)
    assert not server.requests
    assert not server.dead


@pytest.mark.parametrize(
    "faults",
    [
        ["drop"],
        ["drop_after"],
        ["abort"],
        [(503, {"detail": "overloaded"})],
        [(500, None)],
        [(400, {"error": {"message": "Duplicate request ID detected: x"}})],
        ["drop", "drop_after", (503, None), "abort", "drop", "abort", "drop_after"],
    ],
    ids=str,
)
def test_faults_change_nothing(fake_server, fake_module, faults):
    server = fake_server()
    server.faults.extend(faults)
    with SGLangGenerator(server.url, max_in_flight=4) as generator:
        groups = run(generator)
    assert not server.faults
    assert_exact(groups, fake_module)
    rids = [request["rid"] for request in server.requests]
    assert len(rids) == 12 + server.disturbed
    assert len(set(rids)) == len(rids), "a retry has an id of its own"


def test_lost_requests_are_called_off(fake_server):
    server = fake_server()
    server.faults.append("drop_after")
    with SGLangGenerator(server.url, max_in_flight=1) as generator:
        run(generator, PROMPTS[:1], group_size=1)
    assert server.aborts == [server.requests[0]["rid"]]


def test_aborted_completions_are_continued(fake_server, fake_module):
    server = fake_server()
    server.faults.extend(["abort", "abort"])
    sampling = SamplingParams(max_new_tokens=8)
    with SGLangGenerator(server.url, max_in_flight=1) as generator:
        groups = run(generator, PROMPTS[2:3], group_size=1, sampling=sampling)
    expected = fake_module.completion(PROMPTS[2].tolist(), 0, 8)
    assert groups[0].rollouts[0].token_ids.tolist() == expected
    assert len(expected) == 8
    asked = [(len(r["input_ids"]), r["sampling_params"]["max_new_tokens"]) for r in server.requests]
    assert asked == [(4, 8), (8, 4), (10, 2)]
    assert server.requests[1]["input_ids"] == PROMPTS[2].tolist() + expected[:4]


def test_gives_up_with_the_reason(fake_server):
    server = fake_server()
    server.faults.extend([(503, {"detail": "no room"})] * 3)
    generator = SGLangGenerator(server.url, max_retries=2, max_in_flight=1)
    with pytest.raises(UnavailableError, match=r"failed 3 times.*HTTP 503: no room"):
        run(generator, PROMPTS[:1], group_size=1)
    assert len(run(generator)) == 4, "a later run starts afresh"
    generator.close()


def test_a_refused_request_is_the_callers_error(fake_server):
    server = fake_server()
    server.faults.append(
        (400, {"error": {"message": "Requested token count exceeds the model's maximum context length"}})
    )
    with SGLangGenerator(server.url) as generator, pytest.raises(InvalidInputError, match="maximum context length"):
        run(generator)


def edits():
    def drop_logprob(body):
        body["meta_info"]["output_token_logprobs"].pop()

    def foreign_token(body):
        body["meta_info"]["output_token_logprobs"][0][1] += 1

    def not_finite(body):
        body["meta_info"]["output_token_logprobs"][0][0] = float("nan")

    def null(body):
        body["meta_info"]["output_token_logprobs"][0][0] = None

    def gap(body):
        body["meta_info"]["weight_versions"][0]["start"] = 1

    def no_meta(body):
        del body["meta_info"]

    def reason(body):
        body["meta_info"]["finish_reason"] = {"type": "tool"}

    def foreign_weights(body):
        body["meta_info"]["weight_versions"][0]["version"] = "someone else's"

    return [drop_logprob, foreign_token, not_finite, null, gap, no_meta, reason, foreign_weights]


@pytest.mark.parametrize("edit", edits(), ids=lambda edit: edit.__name__)
def test_a_broken_answer_is_never_a_rollout(fake_server, fake_module, edit):
    server = fake_server()
    server.faults.extend([{"edit": edit}] * 2)
    with SGLangGenerator(server.url, max_retries=1, max_in_flight=1) as generator:
        with pytest.raises(UnavailableError, match="failed 2 times"):
            run(generator, PROMPTS[:1], group_size=1)
        server.faults.append({"edit": edit})
        assert_exact(run(generator), fake_module)


def test_answers_without_spans_have_one_version(fake_server, fake_module):
    server = fake_server()
    server.faults.extend([{"edit": lambda body: body["meta_info"].pop("weight_versions")}] * 12)
    with SGLangGenerator(server.url) as generator:
        assert_exact(run(generator), fake_module)


def test_a_slow_consumer_holds_the_servers_back(fake_server):
    server = fake_server()
    prompts = PROMPTS * 25
    with SGLangGenerator(server.url, max_in_flight=4) as generator:
        groups = generator.generate(prompts, group_size=2, sampling=SAMPLING, seed=0)
        next(groups)
        time.sleep(0.3)
        assert len(server.requests) <= 2 * 4 + 2 * 2, "twice what may be in flight, and the group that began it"
        assert len(list(groups)) == 99
    assert server.most_running <= 4
    assert len(server.requests) == 200


def test_several_iterations_share_what_the_servers_take(fake_server, fake_module):
    server = fake_server(token_delay_s=0.001)
    with SGLangGenerator(server.url, max_in_flight=3) as generator:
        found = {}

        def ask(number):
            found[number] = run(generator, PROMPTS)

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for groups in found.values():
            assert_exact(groups, fake_module)
        assert len(found) == 4
    assert server.most_running <= 3


def test_leaving_early_calls_everything_off(fake_server):
    server = fake_server(token_delay_s=0.02)
    generator = SGLangGenerator(server.url)
    groups = generator.generate(PROMPTS * 4, group_size=4, sampling=SamplingParams(60), seed=0)
    next(groups)
    groups.close()
    assert not server.running
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("sglang_")]
    generator.close()
    generator.close()


def test_abort_then_resume_loses_nothing(fake_server, fake_module):
    server = fake_server(token_delay_s=0.005)
    sampling = SamplingParams(max_new_tokens=40)
    with SGLangGenerator(server.url, max_in_flight=8) as generator:
        iterator = generator.generate(PROMPTS * 2, group_size=3, sampling=sampling, seed=0)
        groups = [next(iterator)]
        generator.abort()
        groups += iterator
        assert sorted(group.group_id for group in groups) == list(range(8))
        aborted = [r for group in groups for r in group.rollouts if r.finish_reason == "abort"]
        assert aborted
        for rollout in aborted:
            whole = fake_module.completion(rollout.prompt_ids.tolist(), rollout.index, 40)
            assert rollout.token_ids.tolist() == whole[: len(rollout.token_ids)]
        done = sorted(generator.resume(groups, sampling=sampling, seed=0), key=lambda group: group.group_id)
    assert_exact(done, fake_module, PROMPTS * 2, sampling)


def test_groups_stay_on_one_server_and_servers_share_the_work(fake_server, fake_module):
    servers = [fake_server(token_delay_s=0.001), fake_server(token_delay_s=0.001)]
    with SGLangGenerator([server.url for server in servers], max_in_flight=6) as generator:
        groups = run(generator, PROMPTS * 5)
    assert_exact(groups, fake_module, PROMPTS * 5)
    keys = [{request["routing_key"] for request in server.requests} for server in servers]
    assert keys[0].isdisjoint(keys[1])
    assert min(map(len, keys)) >= 5


def test_a_dead_server_is_left_out(fake_server, fake_module):
    servers = [fake_server(token_delay_s=0.001), fake_server(token_delay_s=0.001)]
    servers[0].faults.extend([None] * 3 + ["crash"])
    with SGLangGenerator([server.url for server in servers], max_in_flight=6, ready_timeout_s=0.5) as generator:
        groups = run(generator, PROMPTS * 5)
        assert_exact(groups, fake_module, PROMPTS * 5)
        assert_exact(run(generator), fake_module)
    assert servers[0].dead


def test_the_last_server_is_not_left_out(fake_server):
    server = fake_server()
    server.faults.append("crash")
    with (
        SGLangGenerator(server.url, ready_timeout_s=0.3) as generator,
        pytest.raises(UnavailableError, match="does not answer /ready"),
    ):
        run(generator)


def test_a_router_takes_completions_and_servers_take_weights(fake_server, fake_module):
    router, worker = fake_server(), fake_server()
    with SGLangGenerator(worker.url, router=router.url) as generator:
        assert_exact(run(generator), fake_module)
    assert len(router.requests) == 12
    assert not worker.requests
    assert not router.calls


def test_construction_checks_its_arguments(fake_server, tmp_path):
    with pytest.raises(InvalidInputError, match="not an address"):
        SGLangGenerator("localhost:30000")
    with pytest.raises(InvalidInputError, match="not an address"):
        SGLangGenerator("http://localhost:port")
    with pytest.raises(InvalidInputError, match="servers is empty"):
        SGLangGenerator([])
    with pytest.raises(InvalidInputError, match="max_in_flight"):
        SGLangGenerator("http://localhost:1", max_in_flight=0)
    with pytest.raises(InvalidInputError, match="max_retries"):
        SGLangGenerator("http://localhost:1", max_retries=-1)
    with pytest.raises(UnavailableError, match="does not answer"):
        SGLangGenerator("http://127.0.0.1:9", ready_timeout_s=0.0)
    server = fake_server()
    server.model_path = "hub/name"
    with pytest.raises(InvalidInputError, match="give vocab_size"):
        SGLangGenerator(server.url)
    SGLangGenerator(server.url, vocab_size=128).close()


def test_generating_imports_no_torch():
    import subprocess
    import sys

    code = "import sys, assay.rollout; assay.rollout.SGLangGenerator; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
