"""The files of deploy/, the Dockerfile and the compose file agree with the program: settings, paths, patience.

`tools/check-deploy` has them read by programs and schemas that know them; here those are asked that are installed.
"""

import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.api.health import PATHS
from app.api.jobs import LONGEST_WAIT
from app.config import Settings
from app.db.postmaster import STOP_SECONDS as DATABASE_SECONDS
from app.services.jobs.working import STOP_SECONDS as JOB_SECONDS
from tests.support.places import ROOT

DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
SETTINGS = Settings.model_fields
# What each of them is given by its environment, and no setting.
OF_COMPOSE = {
    "POSTGRES_PASSWORD",
    "POSTGRES_DB",
    "POSTGRES_HOST_AUTH_METHOD",
    "OWNER_PASSWORD",
    "SERVER_PASSWORD",
    "TZ",
    "PGTZ",
}


def manifests() -> list[dict[str, Any]]:
    """Return all objects of the Kubernetes manifests."""
    files = [path for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml"]
    return [one for path in sorted(files) for one in yaml.safe_load_all(path.read_text("utf-8"))]


def compose() -> dict[str, Any]:
    made: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return made


def pods() -> dict[str, dict[str, Any]]:
    """Return the specification of each kind of pod by its component."""
    found = [one["spec"]["template"] for one in manifests() if one["kind"] in {"Deployment", "Job"}]
    return {one["metadata"]["labels"]["app.kubernetes.io/component"]: one["spec"] for one in found}


def given() -> Iterator[tuple[str, dict[str, str]]]:
    """Yield each place that sets settings, and what it sets."""
    for name, service in compose()["services"].items():
        yield f"compose {name}", {key: str(value) for key, value in service["environment"].items()}
    (config,) = (one for one in manifests() if one["kind"] == "ConfigMap")
    yield "kubernetes", config["data"]
    for name, pod in pods().items():
        yield f"kubernetes {name}", {one["name"]: "postgresql://" for one in pod["containers"][0]["env"]}
    for path in UNITS:
        words = re.findall(r"^Environment=(.*)$", path.read_text("utf-8"), re.MULTILINE)
        yield path.name, dict(word.split("=", 1) for line in words for word in line.split())
    lines = (DEPLOY / "systemd" / "lookalike.env").read_text("utf-8").splitlines()
    yield "lookalike.env", dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))
    (words_of_image,) = re.findall(r"^ENV (.*)$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)
    yield "Dockerfile", dict(word.split("=", 1) for word in words_of_image.split())


@pytest.mark.parametrize(("place", "values"), list(given()), ids=lambda value: value if isinstance(value, str) else "")
def test_every_variable_is_a_setting_with_an_allowed_value(
    place: str, values: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in values.items():
        if name in OF_COMPOSE:
            continue
        assert name == "DATABASE_URL" or name.removeprefix("LOOKALIKE_").lower() in SETTINGS, (place, name)
        # ${NAME:-default} is compose's
        monkeypatch.setenv(name, re.sub(r"\$\{\w+:-(\w+)\}", r"\1", value))
    Settings()


def test_who_stops_it_waits_longer_than_it_takes() -> None:
    """It is killed else: a request is cut off, and a job goes on a minute later."""
    # What the server waits for: traffic that still comes, then requests, as the default is or as any place sets it.
    requests = sum(
        max(float(values.get(f"LOOKALIKE_{name.upper()}", SETTINGS[name].default)) for _, values in given())
        for name in ("drain_seconds", "shutdown_seconds")
    )
    for name, most in (("api", requests), ("worker", JOB_SECONDS), ("db", 30)):
        assert seconds(compose()["services"][name]["stop_grace_period"]) > most
    for path in UNITS:
        text = path.read_text("utf-8")
        if "Type=oneshot" not in text:
            assert "KillMode=mixed\nKillSignal=SIGTERM\n" in text, "an embedded database is ended by the server"
            # A worker never has the embedded database: it would take it along.
            most = JOB_SECONDS if "ExecCondition=" in text else requests + DATABASE_SECONDS
            assert seconds(re.findall(r"TimeoutStopSec=(\d+)", text)[0] + "s") > most
    server, worker = pods()["server"], pods()["worker"]
    pause = int(server["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][-1])
    assert server["terminationGracePeriodSeconds"] > pause + requests
    assert worker["terminationGracePeriodSeconds"] > JOB_SECONDS


def seconds(text: str) -> float:
    found = re.fullmatch(r"(?:(\d+)m)?(?:(\d+)s)?", text)
    assert found, text
    return timedelta(minutes=int(found[1] or 0), seconds=int(found[2] or 0)).total_seconds()


def test_pods_are_probed_where_there_is_something_and_may_do_little() -> None:
    server = pods()["server"]["containers"][0]
    paths = {kind: server[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert paths == {"startup": "/healthz", "readiness": "/readyz", "liveness": "/healthz"}
    assert set(paths.values()) <= set(PATHS)
    assert server["readinessProbe"]["timeoutSeconds"] > SETTINGS["pool_timeout_seconds"].default
    for name, pod in pods().items():
        # A service that is called `lookalike` sets LOOKALIKE_PORT=tcp://… in every pod of its namespace.
        assert pod["enableServiceLinks"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert f"USER {pod['securityContext']['runAsUser']}:" in (ROOT / "Dockerfile").read_text("utf-8")
        (container,) = pod["containers"]
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["resources"]["limits"].keys() == {"memory"}
        volumes = {volume["name"] for volume in pod["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


def test_what_the_manifests_name_is_there() -> None:
    made = {(one["kind"], one["metadata"]["name"]) for one in manifests()}
    assert {kind for kind, _ in made} == {
        *("ConfigMap", "PersistentVolumeClaim", "Job", "Deployment", "Service", "PodDisruptionBudget", "Ingress")
    }
    listed = yaml.safe_load((DEPLOY / "kubernetes" / "kustomization.yaml").read_text("utf-8"))["resources"]
    assert sorted(listed) == sorted(
        path.name for path in (DEPLOY / "kubernetes").glob("*.yaml") if path.name != "kustomization.yaml"
    )
    page = (ROOT / "docs" / "operations" / "deploy.md").read_text("utf-8")
    for pod in pods().values():
        container = pod["containers"][0]
        assert [("ConfigMap", one["configMapRef"]["name"]) for one in container["envFrom"]] == [
            ("ConfigMap", "lookalike-settings")
        ]
        for one in container["env"]:
            secret = one["valueFrom"]["secretKeyRef"]
            assert f"secret generic {secret['name']}" in page
            assert f"--from-literal={secret['key']}=" in page
        for volume in pod["volumes"]:
            if "persistentVolumeClaim" in volume:
                assert ("PersistentVolumeClaim", volume["persistentVolumeClaim"]["claimName"]) in made
    services = {one["metadata"]["name"]: one["spec"] for one in manifests() if one["kind"] == "Service"}
    budgets = [one["spec"]["selector"]["matchLabels"] for one in manifests() if one["kind"] == "PodDisruptionBudget"]
    (deployment,) = (
        one for one in manifests() if one["metadata"]["name"] == "lookalike" and one["kind"] == "Deployment"
    )
    assert budgets == [services["lookalike"]["selector"]] == [deployment["spec"]["selector"]["matchLabels"]]


def test_proxies_let_through_what_the_server_takes_and_wait_as_long_as_it_may() -> None:
    nginx = (DEPLOY / "nginx" / "lookalike.conf").read_text("utf-8")
    caddy = (DEPLOY / "caddy" / "Caddyfile").read_text("utf-8")
    largest = SETTINGS["max_body_bytes"].default
    assert int(re.findall(r"client_max_body_size (\d+)m;", nginx)[0]) * 2**20 > largest
    assert int(re.findall(r"max_size (\d+)MiB", caddy)[0]) * 2**20 > largest
    for text, waits in ((nginx, r"proxy_read_timeout (\d+)s"), (caddy, r"response_header_timeout (\d+)s")):
        assert int(re.findall(waits, text)[0]) > LONGEST_WAIT
        assert int(re.findall(r"keepalive(?:_timeout)? (\d+)s", text)[0]) < 75, "the server closes after that"
        assert f"127.0.0.1:{SETTINGS['port'].default}" in text
        assert "/metrics" in text
    (ingress,) = (one for one in manifests() if one["kind"] == "Ingress")
    told = ingress["metadata"]["annotations"]
    assert int(told["nginx.ingress.kubernetes.io/proxy-read-timeout"]) > LONGEST_WAIT


def test_systemd_takes_the_units(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not there: Debian's package systemd has it")
    for path in UNITS:  # neither the program nor the user is here
        text = path.read_text("utf-8").replace("/opt/lookalike/bin/lookalike", "/bin/true")
        (tmp_path / path.name).write_text(re.sub(r"^(User|Group)=.*\n", "", text, flags=re.MULTILINE))
    asked([program, "verify", "--man=no", *(str(tmp_path / path.name) for path in UNITS)])


def test_nginx_takes_its_example(tmp_path: Path) -> None:
    nginx, openssl = shutil.which("nginx"), shutil.which("openssl")
    if nginx is None or openssl is None:
        pytest.skip("nginx is not there: Debian's package nginx-light has it")
    key, certificate = tmp_path / "privkey.pem", tmp_path / "fullchain.pem"
    kind = ["-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=search.example"]
    asked([openssl, "req", *kind, "-keyout", str(key), "-out", str(certificate)])
    text = (DEPLOY / "nginx" / "lookalike.conf").read_text("utf-8").replace("/etc/ssl/search.example", str(tmp_path))
    (tmp_path / "site.conf").write_text(text)
    whole = f"pid {tmp_path}/pid; events {{}} http {{ access_log off; include {tmp_path}/site.conf; }}"
    (tmp_path / "nginx.conf").write_text(whole)
    asked([nginx, "-t", "-e", "stderr", "-c", str(tmp_path / "nginx.conf")])


def test_caddy_takes_its_example() -> None:
    caddy = shutil.which("caddy")
    if caddy is None:
        pytest.skip("caddy is not there: Debian's package caddy has it")
    asked([caddy, "validate", "--adapter", "caddyfile", "--config", str(DEPLOY / "caddy" / "Caddyfile")])


def asked(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
