"""The files for containers: nothing here can start an engine, so their structure is checked."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from settings import Settings
from stack.search_attributes import SEARCH_ATTRIBUTES

_ROOT = Path(__file__).resolve().parent.parent.parent
_JOBS = {"temporal-schema", "temporal-namespace", "migrate"}
_SECRET = re.compile(r"PASSWORD|_PWD$|KEY_RING|OPERATOR_KEY|DATABASE_URL")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((_ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def services(compose: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = compose["services"]
    return found


def test_everything_that_production_needs_is_there(services: dict[str, Any]) -> None:
    lasting = {"postgres", "temporal", "temporal-ui", "api", "codec", "worker", "prometheus"}
    assert set(services) == lasting | _JOBS
    assert services["worker"]["deploy"]["replicas"] == 2


def test_every_image_is_pinned(services: dict[str, Any]) -> None:
    for name, service in services.items():
        image, _, tag = service["image"].rpartition(":")
        assert image, name
        assert re.search(r"\d+\.\d+", tag), f"{name}: {tag} is no full version"
        assert "auto-setup" not in image


def test_what_lasts_is_watched_and_jobs_end(services: dict[str, Any]) -> None:
    for name, service in services.items():
        if name in _JOBS:
            assert service["restart"].startswith("on-failure"), name
        else:
            assert service["restart"] == "unless-stopped", name
            assert service["healthcheck"]["test"][0] == "CMD", name


def test_ports_are_open_to_this_machine_alone(services: dict[str, Any]) -> None:
    ports = [port for service in services.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len({port.rsplit(":", 1)[0] for port in ports}) == len(ports)


def test_secrets_come_from_the_environment_file_and_must_be_set(services: dict[str, Any]) -> None:
    documented = (_ROOT / ".env.example").read_text(encoding="utf-8")
    for name, service in services.items():
        for variable, value in service.get("environment", {}).items():
            if _SECRET.search(variable):
                required = re.search(r"\$\{(\w+):\?", value)
                assert required, f"{name} has {variable} written out, or lets it be empty"
                assert re.search(rf"^{required.group(1)}=$", documented, re.MULTILINE)


def test_nobody_starts_before_what_it_needs(services: dict[str, Any]) -> None:
    for name, service in services.items():
        for needed, how in service.get("depends_on", {}).items():
            expected = "service_completed_successfully" if needed in _JOBS else "service_healthy"
            assert how["condition"] == expected, f"{name} → {needed}"


def test_volumes_are_named_and_mounted_files_exist(compose: dict[str, Any], services: dict[str, Any]) -> None:
    for name, service in services.items():
        for mount in service.get("volumes", []):
            source = mount.split(":")[0]
            if source.startswith("./"):
                assert (_ROOT / source).exists(), f"{name} mounts {source}"
                assert mount.endswith(":ro")
            else:
                assert source in compose["volumes"]


def test_our_own_services_are_told_settings_that_exist(services: dict[str, Any]) -> None:
    known = {f"CARILLON_{name.upper()}" for name in Settings.model_fields} | {"TEMPORAL_ADDRESS"}
    for name in ("api", "codec", "worker", "migrate"):
        assert set(services[name]["environment"]) <= known
        assert services[name]["read_only"]
        assert services[name]["cap_drop"] == ["ALL"]


def test_workers_get_the_time_to_finish_what_they_send(services: dict[str, Any]) -> None:
    assert int(services["worker"]["stop_grace_period"].removesuffix("s")) > 15


def test_the_namespace_job_registers_our_search_attributes() -> None:
    script = (_ROOT / "ops/temporal/namespace.sh").read_text(encoding="utf-8")
    assert dict(re.findall(r"--name (\w+) --type (\w+)", script)) == SEARCH_ATTRIBUTES


def test_tasks_are_dispatched_fairly() -> None:
    settings = yaml.safe_load((_ROOT / "ops/temporal/dynamic-config.yaml").read_text(encoding="utf-8"))
    assert settings["matching.enableFairness"] == settings["matching.useNewMatcher"] == [{"value": True}]


def test_prometheus_scrapes_services_that_exist(services: dict[str, Any]) -> None:
    config = yaml.safe_load((_ROOT / "ops/prometheus/prometheus.yml").read_text(encoding="utf-8"))
    hosts = set[str]()
    for job in config["scrape_configs"]:
        for static in job.get("static_configs", []):
            hosts |= {target.split(":")[0] for target in static["targets"]}
        for discovered in job.get("dns_sd_configs", []):
            hosts |= set(discovered["names"])
    assert hosts == {"api", "worker", "temporal"} & set(services)


def test_the_image_is_built_from_the_lock_and_runs_as_nobody_special() -> None:
    lines = (_ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert sum(line.startswith("FROM ") for line in lines) == 2
    assert all(re.search(r":\d+\.\d+\.\d+", line) for line in lines if line.startswith("FROM "))
    text = "\n".join(lines)
    assert "--require-hashes" in text
    assert "--constraints requirements.lock" in text
    assert re.search(r"^USER (?!0|root)\d+", text, re.MULTILINE)


@pytest.mark.parametrize("script", sorted(path.relative_to(_ROOT) for path in (_ROOT / "ops").rglob("*.sh")), ids=str)
def test_scripts_are_valid_shell(script: Path) -> None:
    subprocess.run(["/bin/sh", "-n", str(_ROOT / script)], check=True)


@pytest.mark.skipif(shutil.which("docker") is None, reason="there is no docker client on this machine")
def test_the_docker_client_accepts_the_file() -> None:
    docker = shutil.which("docker") or ""
    if subprocess.run([docker, "compose", "version"], check=False, capture_output=True).returncode:
        pytest.skip("the docker client has no compose")
    documented = re.findall(r"^(\w+)=$", (_ROOT / ".env.example").read_text(encoding="utf-8"), re.MULTILINE)
    environment = {**os.environ, **dict.fromkeys(documented, "x")}
    subprocess.run([docker, "compose", "config", "--quiet"], check=True, cwd=_ROOT, env=environment)


def test_every_setting_is_documented() -> None:
    documented = (_ROOT / ".env.example").read_text(encoding="utf-8")
    for name in Settings.model_fields:
        variable = (
            name.upper() if name.startswith("temporal_") and name != "temporal_ui_url" else f"CARILLON_{name.upper()}"
        )
        assert re.search(rf"^#?{variable}=", documented, re.MULTILINE), f"{variable} is missing in .env.example"
