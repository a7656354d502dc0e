"""The house itself: nothing of one machine in the tree, small modules, and files that fit each other."""

from __future__ import annotations

import ast
import importlib.util
import json
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import parts
from triage.config.environment import overridden
from triage.config.settings import Settings, load_settings
from triage.config.yamlfile import read_document

HOUSE = Path(__file__).parents[2]
COMMANDS = {"serve", "migrate", "check", "demo", "fleet", "complaints", "plan", "replay", "classify", "audit", "report"}
LONGEST_MODULE = 400
# Put together here, so that this file does not find itself.
OF_A_MACHINE = [f"/{name}/" for name in ("work", "root")] + ["/" + "farm", "/home/" + "runner"]
REGISTRIES = ["pypi" + ".org", "files.python" + "hosted.org", "registry." + "npmjs.org", "deb." + "debian.org"]


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, check=True).stdout
    return [path for name in listed.decode().split("\0") if name and (path := HOUSE / name).is_file()]


def read_yaml(*path: str) -> Any:
    return yaml.safe_load(HOUSE.joinpath(*path).read_text())


COMPOSE = read_yaml("docker-compose.yml")
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def test_no_file_names_a_machine_or_a_registry() -> None:
    files = tracked()
    assert len(files) > 20
    unwanted = re.compile("|".join(re.escape(each) for each in [*OF_A_MACHINE, *REGISTRIES]))
    found = [
        f"{path.relative_to(HOUSE)}:{number}: {hit.group()}"
        for path in files
        for number, line in enumerate(path.read_bytes().decode("utf-8", "replace").split("\n"), 1)
        if (hit := unwanted.search(line))
    ]
    assert found == []


def test_no_module_is_long() -> None:
    modules = [
        path for path in tracked() if path.suffix == ".py" and path.parts[len(HOUSE.parts)] in {"triage", "simulators"}
    ]
    lengths = {str(path.relative_to(HOUSE)): len(path.read_text().splitlines()) for path in modules}
    assert {name: length for name, length in lengths.items() if length >= LONGEST_MODULE} == {}


def test_the_lock_holds_hashes_for_every_package_and_no_address() -> None:
    lock = (HOUSE / "requirements.lock").read_text()
    packages = re.split(r"(?m)^(?=[a-z])", lock)[1:]
    assert len(packages) > 50
    assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []
    assert "://" not in lock


def test_the_lock_has_every_package_that_is_asked_for() -> None:
    project = (HOUSE / "pyproject.toml").read_text()
    asked = re.findall(r'(?m)^  "([\w.-]+)[\[<>=;"]', project.split("[tool.", 1)[0])
    locked = set(re.findall(r"(?m)^([\w.-]+)==", (HOUSE / "requirements.lock").read_text()))
    assert len(asked) > 20
    assert {name.lower() for name in asked} <= locked


@pytest.mark.parametrize("path", [".ci/run"])
def test_scripts_are_executable_and_valid(path: str) -> None:
    assert (HOUSE / path).stat().st_mode & 0o111
    subprocess.run(["bash", "-n", str(HOUSE / path)], check=True)


def test_make_offers_the_promised_verbs() -> None:
    said = subprocess.run(["make", "help"], cwd=HOUSE, capture_output=True, check=True).stdout.decode()
    assert {"demo", "test", "check", "world", "bench", "clean"} <= set(re.findall(r"(?m)^make (\w+)", said))


@pytest.mark.parametrize(("ci", "outcome"), [("", pytest.skip.Exception), ("true", pytest.fail.Exception)])
def test_an_absent_part_is_a_skip_for_a_user_and_a_failure_on_ci(
    monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]
) -> None:
    monkeypatch.setitem(parts.PARTS, "gadget", parts.Part("gadget", ("no-such-binary",), "gadget", "gadget"))
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="gadget is not on this machine; `make parts` installs it"):
        parts.need("gadget")


def test_a_part_is_found_by_any_of_its_names() -> None:
    assert parts.Part("shell", ("no-such-binary", "sh"), "", "").find() is not None


# --- containers ------------------------------------------------------------------------------------------------------


def mounts() -> list[tuple[str, str]]:
    found = [
        (name, volume.split(":")[0]) for name, service in SERVICES.items() for volume in service.get("volumes", ())
    ]
    return [(name, source) for name, source in found if source.startswith(".")]


@pytest.mark.parametrize(("service", "source"), mounts())
def test_every_mounted_path_is_in_the_tree(service: str, source: str) -> None:
    assert any(path.is_relative_to(HOUSE / source) for path in tracked())


def test_every_named_volume_and_secret_is_declared() -> None:
    for service in SERVICES.values():
        sources = {volume.split(":")[0] for volume in service.get("volumes", ())}
        assert {source for source in sources if not source.startswith(".")} <= set(COMPOSE["volumes"])
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])


def test_every_service_is_watched_or_runs_once() -> None:
    dockerfile = (HOUSE / "Dockerfile").read_text()
    assert "HEALTHCHECK" in dockerfile
    for name, service in SERVICES.items():
        once = service.get("restart") == "no"
        assert once or "healthcheck" in service or "build" in service, name
        assert once or service["restart"] == "unless-stopped", name


def test_images_are_pinned() -> None:
    for name, service in SERVICES.items():
        assert re.search(r":[\w.-]*(\d|local)[\w.-]*$", service["image"]), name
        assert not service["image"].endswith(":latest")


@pytest.mark.parametrize("name", OURS)
def test_our_containers_call_commands_that_exist(name: str) -> None:
    command = OURS[name]["command"]
    assert command[0] in COMMANDS
    settings = HOUSE / "config" / Path(command[command.index("--config") + 1]).relative_to("/etc/triage")
    assert settings.is_file()
    if importlib.util.find_spec("triage.cli") is not None:
        asked = [sys.executable, "-m", "triage", command[0], "--help"]
        said = subprocess.run(asked, capture_output=True, timeout=60, check=False)
        assert said.returncode == 0, said.stderr.decode()
        assert b"--config" in said.stdout


@pytest.mark.parametrize("name", OURS)
def test_our_containers_environment_is_known_settings(name: str, tmp_path: Path) -> None:
    environment = dict(OURS[name]["environment"])
    assert all(key.startswith("TRIAGE_") for key in environment)
    _, faults = overridden(read_document(HOUSE / "config" / "compose" / "triage.yaml"), Settings, environment)
    assert faults == []


def prepared(folder: Path) -> subprocess.CompletedProcess[bytes]:
    script = HOUSE / "config" / "compose" / "prepare.py"
    return subprocess.run([sys.executable, str(script), str(folder)], capture_output=True, check=True)


def test_the_secrets_are_made_once_and_fit_the_settings(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    token = prepared(secrets).stdout.decode().splitlines()[0].split(": ")[1]
    before = {path.name: path.read_bytes() for path in secrets.iterdir()}
    assert token not in prepared(secrets).stdout.decode()
    assert {path.name: path.read_bytes() for path in secrets.iterdir()} == before
    assert {Path(secret["file"]).name for secret in COMPOSE["secrets"].values()} < set(before)
    assert secrets.stat().st_mode & 0o077 == 0
    assert all(token.encode() not in content for content in before.values())
    line = before["daemon.env"].decode().strip()
    settings = _settings_with(secrets, tmp_path, dict([line.replace("'", "").split("=", 1)]))
    assert settings.http.host == "0.0.0.0"
    assert settings.auth.tokens[0].role == "admin"
    assert settings.database.url.startswith("postgresql://triage:")
    assert settings.policy.mode == "shadow"  # type: ignore[attr-defined]


def _settings_with(secrets: Path, folder: Path, tokens: dict[str, str]) -> Settings:
    """The compose settings as the daemon loads them, its secrets where they are here."""
    mounted = "/run/secrets"
    environment = OURS["daemon"]["environment"] | tokens
    environment = {key: value.replace(mounted, str(secrets)) for key, value in environment.items()}
    text = (HOUSE / "config" / "compose" / "triage.yaml").read_text().replace(mounted, str(secrets))
    (folder / "triage.yaml").write_text(text)
    return load_settings(folder / "triage.yaml", environment)


def test_our_containers_are_not_root_and_can_write_only_where_they_must() -> None:
    dockerfile = (HOUSE / "Dockerfile").read_text()
    assert re.search(r"(?m)^USER (?!root)", dockerfile)
    assert "--require-hashes" in dockerfile
    for service in OURS.values():
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        written = [volume for volume in service["volumes"] if not volume.endswith(":ro")]
        assert written == ["daemon:/var/lib/triage"]


def test_everything_the_image_copies_is_let_through_the_ignore_file() -> None:
    copied = re.findall(r"(?m)^COPY (?!--from)(.+) \S+$", (HOUSE / "Dockerfile").read_text())
    let_through = set(re.findall(r"(?m)^!(.+)$", (HOUSE / ".dockerignore").read_text()))
    assert {name for line in copied for name in line.split()} == let_through


def test_prometheus_scrapes_the_port_the_daemon_listens_on() -> None:
    prometheus = read_yaml("config", "prometheus", "prometheus.yml")
    targets = {job["job_name"]: job["static_configs"][0]["targets"] for job in prometheus["scrape_configs"]}
    port = SERVICES["daemon"]["environment"]["TRIAGE_HTTP__PORT"]
    assert targets["triage"] == [f"daemon:{port}"]
    assert SERVICES["daemon"]["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert f"EXPOSE {port}" in (HOUSE / "Dockerfile").read_text()
    alertmanagers = prometheus["alerting"]["alertmanagers"][0]["static_configs"][0]["targets"]
    assert [target.split(":")[0] for target in alertmanagers] == ["alertmanager"]


def test_the_compose_broker_keeps_the_figures_of_the_plain_one() -> None:
    def figures(*path: str) -> dict[str, str]:
        lines = HOUSE.joinpath(*path).read_text().splitlines()
        return dict(
            line.split(" ", 1) for line in lines if re.match(r"(autosave|max_inflight|max_queued|message|pers)", line)
        )

    plain, compose = figures("config", "mosquitto", "mosquitto.conf"), figures("config", "compose", "mosquitto.conf")
    assert compose.pop("persistence_location") == "/mosquitto/data/"
    assert compose.items() <= plain.items()


# --- Grafana and Alertmanager: not run here, so their files are read closely -----------------------------------------

DASHBOARDS = sorted((HOUSE / "config" / "grafana" / "dashboards").glob("*.json"))


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_a_dashboard_has_what_grafana_wants(path: Path) -> None:
    board = json.loads(path.read_text())
    source = read_yaml("config", "grafana", "provisioning", "datasources", "prometheus.yml")["datasources"][0]
    assert {"uid", "title", "schemaVersion", "panels", "time", "templating"} <= set(board)
    assert board["schemaVersion"] >= 36
    panels = board["panels"]
    assert max(Counter(panel["id"] for panel in panels).values()) == 1
    for panel in (panel for panel in panels if panel["type"] != "row"):
        assert panel["datasource"] == {"type": source["type"], "uid": source["uid"]}, panel["title"]
        assert panel["targets"]
        assert max(Counter(target["refId"] for target in panel["targets"]).values()) == 1
        assert all(target["datasource"]["uid"] == source["uid"] for target in panel["targets"])
        assert {"defaults", "overrides"} <= set(panel["fieldConfig"])
        assert re.search(r"[一-鿿]", panel["title"]), panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_panels_lie_side_by_side(path: Path) -> None:
    taken: Counter[tuple[int, int]] = Counter()
    for panel in json.loads(path.read_text())["panels"]:
        at = panel["gridPos"]
        assert at["x"] + at["w"] <= 24
        taken.update((at["x"] + dx, at["y"] + dy) for dx in range(at["w"]) for dy in range(at["h"]))
    assert max(taken.values()) == 1


def test_grafana_finds_the_dashboards_where_they_are_mounted() -> None:
    provider = read_yaml("config", "grafana", "provisioning", "dashboards", "triage.yml")["providers"][0]
    targets = [volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]]
    assert provider["options"]["path"] in targets
    assert DASHBOARDS


def test_every_alert_finds_a_receiver() -> None:
    document = read_yaml("config", "alertmanager", "alertmanager.yml")
    receivers = {receiver["name"] for receiver in document["receivers"]}
    routes = [document["route"], *document["route"]["routes"]]
    assert {route["receiver"] for route in routes} == receivers
    files = [hook["url_file"] for receiver in document["receivers"] for hook in receiver["webhook_configs"]]
    assert {Path(file).name for file in files} == set(SERVICES["alertmanager"]["secrets"])
    rules = read_yaml("config", "prometheus", "rules", "alerts.yml")
    alerts = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    named = [matcher for route in routes for matcher in route.get("matchers", ())]
    named += [each for rule in document["inhibit_rules"] for key in rule for each in rule[key]]
    assert {name for text in named for name in re.findall(r"Triage\w+", text)} <= alerts


# --- imports ---------------------------------------------------------------------------------------------------------


def test_what_simulates_a_device_imports_nothing_of_the_product() -> None:
    for path in (HOUSE / "simulators").rglob("*.py"):
        first = path.relative_to(HOUSE / "simulators").parts[0].removesuffix(".py")
        if first.startswith(("world", "invariants", "loop", "planted")):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            assert not any(name.split(".")[0] == "triage" for name in names), path
