"""`reward_model`: what a classifier or a judge says is the value, and whatever goes wrong is a reason and never a number."""

import json
import math
import pickle
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import assay
from assay.spec import RewardModel, RewardSpec

SPEC = RewardSpec([RewardModel(endpoint="rm", template="{completion}")])
JUDGE = RewardSpec([RewardModel(endpoint="rm", mode="judge", template="{prompt}|{completion}", system="Be fair.")])


def sglang(value: Callable[[str], Any]) -> Any:
    def answer(path: str, body: dict[str, Any], _: dict[str, str]) -> tuple[int, str]:
        assert path == "/classify"
        return 200, json.dumps([{"embedding": [value(text)], "meta_info": {}} for text in body["text"]])

    return answer


def chat(reply: Callable[[str], str], finish: str = "stop") -> Any:
    def answer(path: str, body: dict[str, Any], _: dict[str, str]) -> tuple[int, str]:
        assert path == "/v1/chat/completions"
        message = {"role": "assistant", "content": reply(body["messages"][-1]["content"])}
        return 200, json.dumps({"choices": [{"message": message, "finish_reason": finish}]})

    return answer


def scorer(url: str, spec: RewardSpec = SPEC, **settings: Any) -> assay.Scorer:
    return assay.Scorer(spec, reward_models={"rm": {"url": url, **settings}})


def score(url: str, completions: list[str], spec: RewardSpec = SPEC, **settings: Any) -> assay.Scores:
    return scorer(url, spec, **settings).score(completions, [None] * len(completions), ["2+2?"] * len(completions))


def no_number(scores: assay.Scores, reason: str, rows: list[int] | None = None) -> None:
    for row in range(len(scores)) if rows is None else rows:
        assert math.isnan(scores.total[row])
        assert scores.status[row] == "unavailable"
        assert reason in (scores.reasons[row] or ""), scores.reasons[row]


def test_values_fill_the_column_in_order_in_few_requests(endpoint: Any) -> None:
    served = endpoint(sglang(float))
    texts = [str(index) for index in range(1000)]
    scores = score(served.url, texts, batch=64)
    assert scores.components["reward_model"].tolist() == [float(text) for text in texts]
    assert scores.total.tolist() == scores.components["reward_model"].tolist()
    assert len(served.asked) == math.ceil(1000 / 64)
    assert served.connections <= 16


def test_a_weight_and_a_core_component_beside_it(endpoint: Any) -> None:
    served = endpoint(sglang(lambda text: 0.5 if "4" in text else math.pi))
    spec = {"component": [{"kind": "accuracy"}, {"kind": "reward_model", "endpoint": "rm", "weight": 2}]}
    scores = assay.Scorer(spec, reward_models={"rm": served.url}).score(["It is 4."], ["4"], ["2+2? "])
    assert scores.total.tolist() == [2.0]
    assert served.asked[0]["body"]["text"] == ["2+2? It is 4."]


def test_each_input_and_token_ids(endpoint: Any, byte_ids: Any) -> None:
    served = endpoint(sglang(len))
    text = "<think>aaaa</think>\n<answer>bb</answer>"
    for part, expected in [("response", len(text)), ("summary", len("<answer>bb</answer>")), ("answer", 2)]:
        spec = RewardSpec([RewardModel(endpoint="rm", input=part, template="{completion}")])
        assert score(served.url, [text], spec).total.tolist() == [expected]
        tokenizer, ids = byte_ids(text)
        of_tokens = assay.Scorer(spec, tokenizer=tokenizer, reward_models={"rm": served.url})
        assert of_tokens.score_tokens(ids, np.array([0, len(ids)]), [None]).total.tolist() == [expected]


def test_an_empty_part_has_the_value_that_the_spec_says(endpoint: Any) -> None:
    served = endpoint(sglang(len))
    spec = RewardSpec([RewardModel(endpoint="rm", input="summary", template="{completion}", missing=-5.0)])
    assert score(served.url, ["<think>for ever", "<think></think>abc"], spec).total.tolist() == [-5.0, 3.0]
    assert len(served.asked) == 1


def test_vllm(endpoint: Any) -> None:
    def answer(path: str, body: dict[str, Any], _: dict[str, str]) -> tuple[int, str]:
        field = {"/classify": "probs", "/pooling": "data"}[path]
        data = [{"index": index, field: [0.1, float(text)]} for index, text in enumerate(body["input"])]
        return 200, json.dumps({"data": data[::-1]})

    served = endpoint(answer)
    spec = RewardSpec([RewardModel(endpoint="rm", template="{completion}", class_=1)])
    for api in ("vllm", "vllm_pooling"):
        assert score(served.url + "/v1/", ["3", "4"], spec, api=api, model="m").total.tolist() == [3.0, 4.0]
    assert served.asked[0]["body"]["use_activation"] is False
    no_number(score(served.url, ["3"], SPEC, api="vllm"), "`class`")


def test_a_judge(endpoint: Any) -> None:
    served = endpoint(chat(lambda text: f"Fine.\nScore: {len(text)}"))
    scores = score(served.url, ["", "12345", "123456"], JUDGE)
    assert scores.components["reward_model"].tolist()[:2] == [4 / 9, 1.0]
    no_number(scores, "not within 1 to 10", [2])
    body = served.asked[0]["body"]
    assert body["messages"][0] == {"role": "system", "content": "Be fair."}
    assert body["temperature"] == 0


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (chat(lambda _: "I would rather not."), "has no grade"),
        (chat(lambda _: "Score: 5", "length"), "was cut"),
        (lambda *_: (200, "{}"), "no choice"),
        (lambda *_: (200, "<html>"), "not JSON"),
    ],
)
def test_a_reply_without_a_grade_is_no_number(endpoint: Any, answer: Any, reason: str) -> None:
    no_number(score(endpoint(answer).url, ["a"], JUDGE), reason)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda *_: (500, "out of memory"), "HTTP 500: out of memory"),
        (lambda *_: (404, "no such path"), "HTTP 404"),
        (lambda *_: (302, ""), "HTTP 302"),
        (lambda *_: (401, "bad key sk-secret"), "HTTP 401"),
        (lambda *_: (200, "not json"), "not JSON"),
        (lambda *_: (200, "[]"), "0 results for 1 texts"),
        (lambda *_: (200, '[{"embedding": [null]}]'), "not a finite number"),
        (lambda *_: (200, '[{"embedding": [NaN]}]'), "not JSON"),
        (lambda *_: (200, '[{"embedding": [1e300]}]'), "within 1e9"),
        (lambda *_: (200, '[{"embedding": [1, 2]}]'), "`class`"),
    ],
)
def test_a_failure_is_a_reason_and_never_a_number(endpoint: Any, answer: Any, reason: str) -> None:
    scores = score(endpoint(answer).url, ["a"], retries=1)
    no_number(scores, reason)
    assert "sk-secret" not in str(scores.reasons)


def test_one_bad_text_costs_only_itself(endpoint: Any) -> None:
    def answer(_: str, body: dict[str, Any], __: dict[str, str]) -> tuple[int, str]:
        if "long" in body["text"]:
            return 400, "longer than the model's context"
        return 200, json.dumps([{"embedding": [float("nan") if text == "nan" else 1.0]} for text in body["text"]])

    scores = score(endpoint(answer).url, ["a", "long", "b", "nan"])
    assert scores.total.tolist()[::2] == [1.0, 1.0]
    no_number(scores, "HTTP 400: longer", [1])
    no_number(scores, "not JSON", [3])


def test_a_slow_endpoint_is_given_up(endpoint: Any) -> None:
    over = threading.Event()

    def answer(_: str, body: dict[str, Any], __: dict[str, str]) -> tuple[int, str]:
        if "slow" in body["text"]:
            over.wait(60)
        return 200, json.dumps([{"embedding": [1.0]} for _ in body["text"]])

    scores = score(endpoint(answer).url, ["a", "slow", "b"], batch=1, timeout_seconds=1)
    over.set()
    assert scores.total.tolist()[::2] == [1.0, 1.0]
    no_number(scores, "no answer within 1 s", [1])


def test_down_and_then_up(endpoint: Any, free_port: int) -> None:
    url = f"http://127.0.0.1:{free_port}"
    ready = scorer(url, timeout_seconds=60, retries=1000)
    no_number(score(url, ["a"], retries=0), "refused")
    result: list[assay.Scores] = []
    waiting = threading.Thread(target=lambda: result.append(ready.score(["a"], [None])))
    waiting.start()
    time.sleep(0.2)
    endpoint(sglang(lambda _: 2.0), free_port)
    waiting.join(60)
    assert result[0].total.tolist() == [2.0]


def test_it_fails_and_then_answers(endpoint: Any) -> None:
    def answer(_: str, __: dict[str, Any], ___: dict[str, str]) -> tuple[int, str]:
        return (503, "busy") if len(served.asked) < 3 else (200, '[{"embedding": [1.5]}]')

    served = endpoint(answer)
    assert score(served.url, ["a"]).total.tolist() == [1.5]


def test_the_key_comes_from_the_environment(endpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(_: str, __: dict[str, Any], headers: dict[str, str]) -> tuple[int, str]:
        headers = {name.lower(): value for name, value in headers.items()}
        return 200, json.dumps([{"embedding": [float(headers["authorization"] == "Bearer sk-1")]}])

    served = endpoint(answer)
    with pytest.raises(assay.InvalidInputError, match="RM_KEY is not set"):
        scorer(served.url, api_key_env="RM_KEY")
    monkeypatch.setenv("RM_KEY", "sk-1")
    assert score(served.url, ["a"], api_key_env="RM_KEY").total.tolist() == [1.0]


def test_what_is_not_configured(endpoint: Any) -> None:
    scores = assay.Scorer(SPEC).score(["a"], [None])
    no_number(scores, 'reward_models={"rm"')
    with pytest.raises(assay.InvalidSpecError, match="did you mean `rms`"):
        assay.Scorer(SPEC, reward_models={"rms": "http://127.0.0.1:1"})
    for url, why in [("ftp://a", "http://HOST:PORT"), ("http://key@a:1", "api_key_env"), ("", "http://HOST:PORT")]:
        with pytest.raises(assay.InvalidInputError, match=why):
            scorer(url)
    with pytest.raises(assay.InvalidInputError, match="unknown field `timeout`"):
        scorer("http://127.0.0.1:1", timeout=3)


def test_a_template_that_wants_a_prompt(endpoint: Any) -> None:
    served = endpoint(sglang(len))
    ready = assay.Scorer({"component": [{"kind": "reward_model", "endpoint": "rm"}]}, reward_models={"rm": served.url})
    no_number(ready.score(["a"], [None]), "no prompt")
    messages = [{"role": "user", "content": "12"}]
    assert pickle.loads(pickle.dumps(ready)).score(["a"], [None], [messages]).total.tolist() == [3.0]


def test_a_server_asks_what_its_configuration_names(endpoint: Any, serving: Any, tmp_path: Any) -> None:
    served = endpoint(sglang(lambda text: float(len(text))))
    config = tmp_path / "server.toml"
    config.write_text(f'[reward_model.rm]\nurl = "{served.url}"\n', encoding="utf-8")
    with serving("--config", str(config)) as running:
        remote = assay.connect(running.address, {"component": [{"kind": "reward_model", "endpoint": "rm"}]})
        assert remote.score(["a"] * 600, [None] * 600, ["Q"] * 600).total.tolist() == [2.0] * 600
        assert remote.server_info().reward_models == ("rm",)
        other = RewardSpec([RewardModel(endpoint="internal")])
        with pytest.raises(assay.InvalidSpecError, match="no reward model `internal` here"):
            assay.connect(running.address, other).score(["a"], [None])


def test_a_deadline_leaves_what_is_known(endpoint: Any, serving: Any, tmp_path: Any) -> None:
    over = threading.Event()

    def answer(_: str, body: dict[str, Any], __: dict[str, str]) -> tuple[int, str]:
        if "slow" in body["text"]:
            over.wait(60)
        return 200, json.dumps([{"embedding": [1.0]} for _ in body["text"]])

    config = tmp_path / "server.toml"
    config.write_text(f'[reward_model.rm]\nurl = "{endpoint(answer).url}"\nbatch = 1\n', encoding="utf-8")
    with serving("--config", str(config)) as running:
        scores = assay.connect(running.address, SPEC, timeout=5).score(["a", "slow"], [None] * 2)
        over.set()
    assert scores.total.tolist()[0] == 1.0
    no_number(scores, "deadline", [1])
