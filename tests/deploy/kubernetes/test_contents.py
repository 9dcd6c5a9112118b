"""What is in the chart's objects: the exporter's configuration, secrets, rules, dashboards."""

import base64
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter.cli import main
from exporter.settings.load import load_settings
from tests.certificates import Certificates
from tests.deploy.compose import ROOT
from tests.deploy.kubernetes.chart import CHART, VALUES, Rendered, refusal, render, rendered
from tests.offenders import every

SECRETS = "/run/secrets/"
MINIMAL = VALUES["minimal"]
CONTENTS = {
    "livekit/url": "wss://livekit.example.com",
    "livekit/api_secret": "of-a-test-and-of-nothing-else-0123456789",
    "redis/url": "redis://redis.example.com:6379/0",
    "e2ee/key": "a-key-of-a-test",
    "voice-exporter-web/web-config.yml": "basic_auth_users: {}\n",
    "speech/api_key": "a-key-of-a-test",
}
"""What is in the Secrets, by the path that ends with it; else a short word."""


def files_of(one: Rendered, root: Path) -> None:
    """Write the Secrets below a folder, as the kubelet would."""
    for path, volume in one.mounts.items():
        if not path.startswith(SECRETS):
            continue
        parts = volume.get("projected", {}).get("sources", ())
        names = [item["path"] for part in parts for item in part["secret"]["items"]]
        if "secret" in volume:
            whole = volume["secret"]["secretName"]
            names = [key.split("/")[1] for key in CONTENTS if key.startswith(f"{whole}/")]
            assert names, f"{whole}: nobody said what is in it"
        for name in names:
            file = root / path.removeprefix("/") / name
            file.parent.mkdir(parents=True, exist_ok=True)
            content = CONTENTS.get(name) or CONTENTS.get(_whole(volume, name), "word")
            file.write_text(content, encoding="utf-8")


def _whole(volume: Any, name: str) -> str:
    return f"{volume.get('secret', {}).get('secretName')}/{name}"


@pytest.mark.parametrize("name", VALUES)
def test_the_exporter_takes_its_configuration(
    name: str,
    tmp_path: Path,
    certificates: Certificates,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`config check` finds nothing, with the Secrets where they are mounted."""
    monkeypatch.setenv("WEB_TOKEN", "a-token-of-a-test")
    one = rendered(name)
    files_of(one, tmp_path)
    text = one.file.replace(SECRETS, f"{tmp_path}{SECRETS}")
    file = tmp_path / "voice-exporter.yaml"
    file.write_text(text.replace("/etc/private-ca/ca.crt", str(certificates.ca)), encoding="utf-8")
    assert main(["config", "check", str(file)]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert ": ok, " in printed.out
    settings = load_settings(file, {}, {"WEB_TOKEN": "a-token-of-a-test"})
    assert settings.web.listen_address == ":9465"
    (port,) = one.container["ports"]
    assert settings.web.port == port["containerPort"]
    probe = one.container["livenessProbe"]["httpGet"]["path"]
    assert probe == f"{settings.web.paths.prefix}/-/healthy"


def test_values_reach_the_exporter_as_they_were_written() -> None:
    """Large numbers, times of day and lists are not changed on the way."""
    night = yaml.safe_load(rendered("proxy").file)["targets"][0]["windows"]
    assert night == [{"days": "mon,tue", "hours": "22:30-23:00"}]
    assert yaml.safe_load(rendered("monitoring").file)["store"]["max_runs"] == 2_000_000
    assert rendered("proxy").container["env"][0]["valueFrom"]["secretKeyRef"]["key"] == "token"


@every(VALUES)
def test_secrets_are_only_named(name: str) -> None:
    """The chart makes no Secret, and files of Secrets may be read by the pod's group at most."""
    one = rendered(name)
    assert one.all_of("Secret") == ()
    for path, volume in one.mounts.items():
        if path.startswith(SECRETS):
            (source,) = (volume[key] for key in ("projected", "secret") if key in volume)
            assert source["defaultMode"] == 0o440, path


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            "secrets.livekit.name=",
            "secrets.livekit.name: is not set; expected the name of a Secret",
        ),
        ("config.livekit.url=", "config.livekit.url: is not set; expected the URL of the LiveKit"),
        (
            "config.livekit.api_secret=s3cr3t",
            "config.livekit.api_secret: is a secret in a ConfigMap",
        ),
        ("config.web.token=s3cr3t", "config.web.token: is a secret in a ConfigMap; expected a Sec"),
        (
            "config.targets[0].utterance.say.api_key=s3cr3t",
            "config.targets[0].utterance.say.api_key: is a secret in a ConfigMap",
        ),
        (
            "config.web.listen_address=:80",
            "config.web.listen_address: is set by the chart; expected service.port",
        ),
        ("replicas=2", "replicas: 2 exporters would each call every agent; expected config.group"),
        (
            "replicas=2,config.group=a",
            "replicas: 2 exporters would each call every agent; expected",
        ),
        ("replicas=0", "replicas"),
        ("secrets.livekit.apikey=x", "apikey"),
    ],
)
def test_values_that_do_not_work_are_refused(changes: str, line: str) -> None:
    """By one line that says what, where and what was expected, and that shows no secret."""
    # In a list, helm's --set replaces the whole item.
    more = ",config.targets[0].agent_name=x" if "targets[0]" in changes else ""
    told = refusal(MINIMAL, "--set", changes + more)
    assert line in told
    assert "s3cr3t" not in told


def test_a_variable_for_a_secret_is_no_secret() -> None:
    """So a token may come from a Secret by `env`."""
    variable = "${WEB_TOKEN}"
    one = render(MINIMAL, "--set", f"config.web.token={variable}")
    assert yaml.safe_load(one.file)["web"]["token"] == variable


def test_the_values_of_the_page_work(tmp_path: Path) -> None:
    """Each piece of YAML in docs/kubernetes.md is taken by helm, on top of the smallest values."""
    page = (ROOT / "docs" / "kubernetes.md").read_text("utf-8")
    pieces = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL)]
    assert len(pieces) == 5
    for piece in pieces:
        if "kind" in piece:  # of a Service of the workers
            continue
        values = {"config": piece} if "workers" in piece else piece
        (file := tmp_path / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
        assert render(MINIMAL, "--values", str(file)).objects


def test_rules_are_those_of_the_tree() -> None:
    """Each file of rules is one object."""
    rules = rendered("monitoring").all_of("PrometheusRule")
    assert len(rules) == 2
    for rule in rules:
        name = rule["metadata"]["name"].rpartition("-")[2]
        text = (ROOT / "alerts" / f"{name}.yaml").read_text("utf-8")
        assert rule["spec"] == yaml.load(text, Loader=yaml.CSafeLoader)
        assert rule["metadata"]["labels"]["release"] == "prometheus"


def test_dashboards_are_those_of_the_tree() -> None:
    """Each is a ConfigMap that the sidecar finds, and that a client-side apply can take."""
    boards = {
        file: text
        for each in rendered("monitoring").all_of("ConfigMap")
        if each["metadata"]["labels"].get("grafana_dashboard") == "1"
        for file, text in each["data"].items()
    }
    generated = {path.name: path for path in (ROOT / "dashboards" / "generated").glob("*.json")}
    assert set(boards) == set(generated)
    for name, text in boards.items():
        assert json.loads(text) == json.loads(generated[name].read_text("utf-8")), name
        assert len(json.dumps(text)) < 250_000, name


def test_a_release_fits_into_its_secret() -> None:
    """Helm keeps chart and objects, compressed, in one Secret of at most 1 MiB."""
    files = [path for path in CHART.rglob("*") if path.is_file() and path.parent.name != "ci"]
    chart = [base64.b64encode(path.read_bytes()).decode() for path in files]
    kept = json.dumps({"chart": chart, "manifest": rendered("monitoring").text})
    assert len(base64.b64encode(gzip.compress(kept.encode()))) < 512 * 1024
