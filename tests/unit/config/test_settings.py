"""Settings: defaults, environment, secrets, and one test for each kind of fault."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from msgspec import structs
from pydantic import BaseModel

from triage.config.describe import key_table
from triage.config.schema import keys_of, nested_models
from triage.config.sections import PolicySection
from triage.config.settings import Settings, load_settings
from triage.core.policy import Policy
from triage.core.vocabulary import Family, Mode
from triage.errors import InputError, InputFault

HOUSE = Path(__file__).parents[3]
SHA = "a" * 64


def load(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> Settings:
    path = folder / "triage.yaml"
    path.write_text(text, "utf-8")
    return load_settings(path, environ or {})


def faults(folder: Path, text: str, environ: Mapping[str, str] | None = None) -> list[InputFault]:
    with pytest.raises(InputError) as caught:
        load(folder, text, environ)
    return caught.value.faults


def test_the_shipped_file_loads_and_starts_in_shadow() -> None:
    settings = load_settings(HOUSE / "config" / "triage.yaml", {})
    assert settings.policy_in_force().mode is Mode.SHADOW
    assert settings.teams_path == HOUSE / "config" / "teams.csv"


def test_files_are_taken_from_the_folder_of_the_settings(tmp_path: Path) -> None:
    settings = load(tmp_path, "http: {port: 1}\nplans: /elsewhere/plans\n")
    assert settings.fleet_path == tmp_path / "fleet.csv"
    assert settings.plans_path == Path("/elsewhere/plans")
    folders = (settings.profiles_path, settings.lexicon_path, settings.faults_path)
    assert [folder.name for folder in folders] == ["profiles", "lexicon", "faults"]


def test_the_policy_section_says_exactly_what_the_policy_has() -> None:
    assert set(PolicySection.model_fields) == {field.name for field in structs.fields(Policy)}
    assert all(info.description for info in PolicySection.model_fields.values())


def test_defaults_are_the_policys_own(tmp_path: Path) -> None:
    assert load(tmp_path, "http: {}\n").policy_as_written() == Policy()


def test_speed_divides_every_duration_once(tmp_path: Path) -> None:
    policy = load(tmp_path, "policy: {speed: 10, hold_s: {internal: 50}, soak_s: 100}\n").policy_in_force()
    assert policy.hold_s[Family.INTERNAL] == 5
    assert policy.hold_s[Family.OFFLINE] == 30
    assert policy.soak_s == 10


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    environ = {
        "TRIAGE_HTTP__PORT": "9",
        "TRIAGE_POLICY__HOLD_S__INTERNAL": "7",
        "TRIAGE_FLEET": "other.csv",
        "TRIAGE_MQTT__PASSWORD": "12345",
        "TRIAGE_DESKS__0__NAME": "7",
        "PATH": "/bin",
    }
    settings = load(tmp_path, "http: {port: 1}\ndesks: [{kind: local}]\n", environ)
    assert settings.http.port == 9
    assert settings.policy_as_written().hold_s == {Family.INTERNAL: 7}
    assert settings.fleet_path == tmp_path / "other.csv"
    assert settings.mqtt.password == "12345"
    assert settings.desks[0].name == "7"


def test_lists_come_from_the_environment_as_yaml(tmp_path: Path) -> None:
    tokens = f"[{{name: ann, role: admin, sha256: {SHA}}}]"
    settings = load(tmp_path, "auth: {mode: token}\n", {"TRIAGE_AUTH__TOKENS": tokens})
    assert settings.auth.tokens[0].name == "ann"


def test_secrets_come_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    (tmp_path / "url").write_text("postgresql://u:p@h/d\n")
    text = "mqtt: {password_file: secret}\ndatabase: {url_file: url}\n"
    desk = "desks: [{kind: webhook, url: 'https://desk.example.com/x', secret_file: secret}]\n"
    settings = load(tmp_path, text + desk)
    assert settings.mqtt.password == "s3cret"
    assert settings.database.url == "postgresql://u:p@h/d"
    (hook,) = settings.desks
    assert hook.kind == "webhook"
    assert hook.secret == "s3cret"


TWINS = f"""auth:
  mode: token
  tokens:
  - {{name: a, role: admin, sha256: {SHA}}}
  - {{name: a, role: admin, sha256: {"b" * 64}}}
"""

CASES = [
    ("bogus: 1\n", 1, "bogus", "unknown key"),
    ("http:\n  prot: 1\n", 2, "http.prot", "unknown key"),
    ("http: {port: 70000}\n", 1, "http.port", "less than or equal to 65535"),
    ("http: {port: '80'}\n", 1, "http.port", "valid integer"),
    ("http: [1]\n", 1, "http", "object"),
    ("database: {url: 'mysql://x'}\n", 1, "database.url", "must be a URL beginning with sqlite"),
    ("mqtt: {url: 'http://x'}\n", 1, "mqtt.url", "must be a URL beginning with mqtt"),
    ("mqtt: {url: 'mqtt://h:99999'}\n", 1, "mqtt.url", "must be a URL"),
    ("mqtt: {client_id: 'a b'}\n", 1, "mqtt.client_id", "match pattern"),
    ("mqtt: {cert_file: c}\n", 1, "mqtt.cert_file", "go together"),
    ("mqtt: {ca_file: c}\n", 1, "mqtt.ca_file", "only mqtts"),
    ("policy: {speed: 0.01}\n", 1, "policy.speed", "greater than or equal to 0.1"),
    ("policy: {speed: 1001}\n", 1, "policy.speed", "less than or equal to 1000"),
    ("policy: {soak_s: 0}\n", 1, "policy.soak_s", "greater than 0"),
    ("policy: {soak_s: 1.0e+30}\n", 1, "policy.soak_s", "less than or equal"),
    ("policy: {outage_share: 1.5}\n", 1, "policy.outage_share", "less than or equal to 1"),
    ("policy: {flap_count: 0}\n", 1, "policy.flap_count", "greater than or equal to 1"),
    ("policy: {mode: fast}\n", 1, "policy.mode", "'shadow'"),
    ("policy:\n  hold_s:\n    internl: 3\n", 3, "policy.hold_s.internl", "'internal'"),
    ("policy:\n  hold_s: {internal: -1}\n", 2, "policy.hold_s.internal", "greater than or equal to 0"),
    ("notify: {sms: yes}\n", 1, "notify.sms", "unknown key"),
    ("desks:\n- {kind: pigeon}\n", 2, "desks[0]", "does not match any of the expected tags"),
    ("desks:\n- {kind: local}\n- {kind: local}\n", 3, "desks[1].name", "a second desk"),
    ("desks: [{kind: webhook, url: 'https://a.b/c'}]\n", 1, "desks[0]", "needs a signing secret"),
    ("desks: [{kind: webhook, url: 'http://a.b/c', secret: x}]\n", 1, "desks[0].url", "must be https"),
    ("desks: [{kind: webhook, url: 'https:///c', secret: x}]\n", 1, "desks[0].url", "must name a host"),
    ("desks: [{kind: webhook, secret: x}]\n", 1, "desks[0].url", "required and missing"),
    ("http: {host: 0.0.0.0}\nauth: {mode: none}\n", 2, "auth.mode", "lets everybody in"),
    ("auth: {mode: token}\n", 1, "auth.tokens", "lets nobody in"),
    (
        f"auth: {{mode: token, tokens: [{{name: a, role: boss, sha256: {SHA}}}]}}\n",
        1,
        "auth.tokens[0].role",
        "'viewer'",
    ),
    ("auth: {mode: token, tokens: [{name: a, role: admin, sha256: x}]}\n", 1, "auth.tokens[0].sha256", "pattern"),
    (
        TWINS,
        5,
        "auth.tokens[1].name",
        "used by an earlier token",
    ),
    ("mqtt: {password_file: nowhere}\n", 1, "mqtt.password_file", "cannot be read"),
    ("mqtt: {password_file: triage.yaml, password: x}\n", 1, "mqtt.password_file", "password is given as well"),
    ("- a\n", 1, "", "must be a mapping"),
]


@pytest.mark.parametrize(("text", "line", "field", "problem"), CASES)
def test_each_kind_of_fault_is_addressed(tmp_path: Path, text: str, line: int | None, field: str, problem: str) -> None:
    found = faults(tmp_path, text)
    assert [(fault.line, fault.field) for fault in found if problem in fault.problem] == [(line, field)], found
    assert all(fault.file.endswith("triage.yaml") for fault in found)


def test_an_empty_file_means_every_default(tmp_path: Path) -> None:
    assert load(tmp_path, "", {"TRIAGE_HTTP__PORT": "9"}).http.port == 9


def test_an_empty_secret_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    assert "is empty" in faults(tmp_path, "mqtt: {password_file: empty}\n")[0].problem


def test_unknown_keys_are_met_with_what_was_meant(tmp_path: Path) -> None:
    assert "did you mean 'port'?" in faults(tmp_path, "http: {prot: 1}\n")[0].remedy


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("TRIAGE_FLEAT", "x", "is not a setting"),
        ("TRIAGE_HTTP__PROT", "1", "is not a setting"),
        ("TRIAGE_HTTP__PORT__X", "1", "is not a setting"),
        ("TRIAGE_DESKS__9__NAME", "x", "is not a setting"),
        ("TRIAGE_DESKS", "[{kind", "is not YAML"),
        ("TRIAGE_HTTP__PORT", "eighty", "valid integer"),
    ],
)
def test_faults_of_the_environment_name_the_variable(tmp_path: Path, name: str, value: str, problem: str) -> None:
    (fault,) = faults(tmp_path, "desks: [{kind: local}]\n", {name: value})
    assert (fault.file, fault.line, fault.field) == ("environment", None, name)
    assert problem in fault.problem


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    found = faults(tmp_path, "http: {prot: 1}\npolicy: {speed: 0}\nbogus: 1\n", {"TRIAGE_NOPE": "1"})
    assert [fault.field for fault in found] == ["TRIAGE_NOPE", "http.prot", "policy.speed", "bogus"]


def test_no_secret_is_shown_by_a_fault(tmp_path: Path) -> None:
    (tmp_path / "url").write_text("mysql://u:hunter2@h/d")
    assert "hunter2" not in str(faults(tmp_path, "database: {url_file: url}\n"))
    assert "hunter2" not in str(faults(tmp_path, "database: {url: 'mysql://u:hunter2@h/d'}\n"))


def test_every_key_has_its_row_in_the_readme() -> None:
    text = (HOUSE / "config" / "README.md").read_text("utf-8")
    assert key_table(Settings) in text
    assert [key for key in _all_keys(Settings) if f"`{key}`" not in text] == []


def _all_keys(model: type[BaseModel], prefix: str = "") -> list[str]:
    found: list[str] = []
    for key in keys_of(model):
        found.append(prefix + key)
        for inner in nested_models(model.model_fields[key].annotation):
            found.extend(_all_keys(inner, f"{prefix}{key}."))
    return found
