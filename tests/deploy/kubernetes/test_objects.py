"""What the chart installs is what Kubernetes takes, no more than is needed, and without rights."""

import copy
import json
import subprocess

import jsonschema
import pytest
import yaml

from exporter.store.config import default_folder
from exporter.web.gate import OPEN_PATHS
from tests.deploy.compose import ROOT, services
from tests.deploy.kubernetes.chart import CHART, VALUES, helm, render, rendered
from tests.deploy.kubernetes.pod_security import breaches
from tests.deploy.kubernetes.programs import NEWEST, OLDEST, require_programs
from tests.offenders import every

STATE = str(default_folder({}, 0))
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
NEEDED = ["ConfigMap", "Service", "ServiceAccount", "StatefulSet"]


def validated(text: str, version: str) -> dict[str, int]:
    """Return how many objects kubeconform found valid, and how many not."""
    programs = require_programs()
    found = "{{.ResourceKind}}{{.KindSuffix}}.json"
    places = [programs.schemas / version / found, programs.schemas / found]
    options = [part for place in places for part in ("-schema-location", str(place))]
    done = subprocess.run(
        [programs.kubeconform, "-strict", "-summary", "-output", "json", *options, "-"],
        input=text,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    told: dict[str, int] = json.loads(done.stdout)["summary"]
    return told


def test_there_are_values_to_test() -> None:
    """Six sorts of cluster."""
    assert set(VALUES) == {"minimal", "monitoring", "fleet", "tls", "proxy", "ipv6"}


@every(VALUES)
def test_helm_has_no_complaint(name: str) -> None:
    """`helm lint` finds no error and warns of nothing."""
    done = helm("lint", CHART, "--strict", "--values", VALUES[name])
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_kubernetes_knows_every_field(version: str) -> None:
    """Kubeconform holds each object against the schemas of the oldest and the newest API."""
    told = validated("\n".join(rendered(name).text for name in VALUES), version)
    objects = sum(len(rendered(name).objects) for name in VALUES)
    assert told == {"valid": objects, "invalid": 0, "errors": 0, "skipped": 0}


@pytest.mark.parametrize(
    ("kind", "field"),
    [("StatefulSet", "replicas"), ("ServiceMonitor", "jobLabel"), ("PrometheusRule", "groups")],
)
def test_a_misspelled_field_is_seen(kind: str, field: str) -> None:
    """The validation can fail, for the kinds of the Prometheus Operator, too."""
    changed = copy.deepcopy(dict(rendered("monitoring").all_of(kind)[0]))
    changed["spec"][f"{field}s"] = changed["spec"].pop(field)
    assert validated(yaml.safe_dump(changed), NEWEST)["invalid"] == 1


def test_the_same_values_give_the_same_objects() -> None:
    """Nothing is random and nothing depends on the time, so an upgrade changes what was changed."""
    for name, path in VALUES.items():
        assert render(path).text == rendered(name).text, name


def test_nothing_is_installed_that_is_not_needed() -> None:
    """Without a wish for more there are four objects, and in no case one that gives a right."""
    assert sorted(each["kind"] for each in rendered("minimal").objects) == NEEDED
    everything = {each["kind"] for name in VALUES for each in rendered(name).objects}
    more = {"NetworkPolicy", "PodDisruptionBudget", "PrometheusRule", "ServiceMonitor"}
    assert everything == {*NEEDED, *more}


@every(VALUES)
def test_pods_keep_the_restricted_standard(name: str) -> None:
    """A namespace may enforce `restricted`; the root is read-only, and there is no token."""
    one = rendered(name)
    assert breaches(dict(one.pod["spec"])) == []
    assert one.container["securityContext"]["readOnlyRootFilesystem"] is True
    assert one.container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert one.pod["spec"]["automountServiceAccountToken"] is False
    account = one.one("ServiceAccount")
    assert account["automountServiceAccountToken"] is False
    assert one.pod["spec"]["serviceAccountName"] == account["metadata"]["name"]
    written = {
        each["mountPath"] for each in one.container["volumeMounts"] if not each.get("readOnly")
    }
    assert written == {"/tmp", STATE}  # noqa: S108 - of the container


@pytest.mark.parametrize(
    ("change", "breach"),
    [
        ("hostNetwork=true", "hostNetwork"),
        ("volumes=[{name: v, hostPath: {path: /}}]", "volume v"),
        ("securityContext={}", "voice-exporter: runAsNonRoot"),
        ("securityContext.runAsUser=0", "pod: runAsUser"),
        ("securityContext.seccompProfile={type: Unconfined}", "voice-exporter: seccompProfile"),
        ("containers.0.securityContext.privileged=true", "voice-exporter: privileged"),
        ("containers.0.securityContext.capabilities={}", "voice-exporter: capabilities.drop"),
        ("containers.0.ports=[{hostPort: 80}]", "voice-exporter: hostPort"),
    ],
)
def test_a_breach_of_the_standard_is_seen(change: str, breach: str) -> None:
    """The check that the pods pass can fail."""
    spec = copy.deepcopy(rendered("minimal").pod["spec"])
    where, _, value = change.partition("=")
    *path, last = where.split(".")
    part = spec
    for key in path:
        part = part[int(key)] if key.isdecimal() else part[key]
    part[last] = yaml.safe_load(value)
    assert breach in breaches(spec)


@every(VALUES)
def test_resources_are_asked_for(name: str) -> None:
    """Memory has a limit; the CPU has none, because a throttled exporter makes turns void."""
    resources = rendered(name).container["resources"]
    assert set(resources["requests"]) == {"cpu", "memory"}
    assert set(resources["limits"]) == {"memory"}


@every(VALUES)
def test_the_image_is_the_one_of_the_dockerfile(name: str) -> None:
    """Port, paths, user and time to stop are as with docker compose."""
    one = rendered(name)
    assert f"\nEXPOSE {one.container['ports'][0]['containerPort']}\n" in DOCKERFILE
    compose = services()["exporter"]
    paths = {mount.target for mount in compose.mounts} - {"/run/livekit-keys"}
    assert {STATE, "/etc/voice-exporter/voice-exporter.yaml"} == paths
    assert {STATE, "/etc/voice-exporter"} <= set(one.mounts)
    user = one.pod["spec"]["securityContext"].get("runAsUser")
    assert user is None or f"\nUSER {user}:" in DOCKERFILE
    grace = one.pod["spec"]["terminationGracePeriodSeconds"]
    assert f"{grace}s" == compose.raw["stop_grace_period"]
    assert [one.container.get("command"), one.container.get("args")] == [None, None]


@every(VALUES)
def test_selectors_find_the_pod_and_the_service(name: str) -> None:
    """Each object that selects, selects the pods or the Service of this release."""
    one = rendered(name)
    pod = one.pod["metadata"]["labels"].items()
    assert one.one("Service")["spec"]["selector"].items() <= pod
    assert one.one("StatefulSet")["spec"]["selector"]["matchLabels"].items() <= pod
    for kind, key in (("NetworkPolicy", "podSelector"), ("PodDisruptionBudget", "selector")):
        for each in one.all_of(kind):
            assert each["spec"][key]["matchLabels"].items() <= pod
    service = one.one("Service")
    for monitor in one.all_of("ServiceMonitor"):
        labels = service["metadata"]["labels"]
        assert monitor["spec"]["selector"]["matchLabels"].items() <= labels.items()
        # Of a release of any name: alerts find an exporter that was never scraped by its job.
        assert labels[monitor["spec"]["jobLabel"]] == "voice-exporter"
        ports = [port["name"] for port in service["spec"]["ports"]]
        assert [endpoint["port"] for endpoint in monitor["spec"]["endpoints"]] == ports


@pytest.mark.parametrize(
    ("name", "scheme", "prefix"),
    [("minimal", "http", ""), ("tls", "https", ""), ("proxy", "http", "/voice")],
)
def test_probes_and_scrapes_find_their_pages(name: str, scheme: str, prefix: str) -> None:
    """With TLS and below a prefix, too; the kubelet's pages are those that need no password."""
    container = rendered(name).container
    probes = [container[f"{each}Probe"]["httpGet"] for each in ("startup", "liveness", "readiness")]
    pages = [prefix + page for page in ("/-/healthy", "/-/healthy", "/-/ready")]
    assert [probe["path"] for probe in probes] == pages
    assert {page.removeprefix(prefix) for page in pages} == OPEN_PATHS
    assert {(probe["scheme"], probe["port"]) for probe in probes} == {(scheme.upper(), "http")}
    for monitor in rendered(name).all_of("ServiceMonitor"):
        (endpoint,) = monitor["spec"]["endpoints"]
        assert (endpoint["scheme"], endpoint["path"]) == (scheme, f"{prefix}/metrics")


def test_several_exporters_are_apart_and_stopped_one_at_a_time() -> None:
    """Each has a volume of its own; workers keep to one of them."""
    fleet = rendered("fleet")
    spec = fleet.one("StatefulSet")["spec"]
    assert spec["replicas"] == 3
    (claim,) = spec["volumeClaimTemplates"]
    assert claim["spec"]["accessModes"] == ["ReadWriteOnce"]
    assert fleet.one("PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert fleet.one("Service")["spec"]["sessionAffinity"] == "ClientIP"
    assert (
        fleet.pod["spec"]["topologySpreadConstraints"][0]["whenUnsatisfiable"] == "ScheduleAnyway"
    )


def test_the_network_policy_lets_media_out() -> None:
    """UDP to everywhere, TCP to what the exporter asks; in comes only its own port."""
    spec = rendered("monitoring").one("NetworkPolicy")["spec"]
    assert sorted(spec["policyTypes"]) == ["Egress", "Ingress"]
    udp, tcp = spec["egress"]
    assert udp == {"ports": [{"protocol": "UDP"}]}
    assert {53, 443, 6379, 7880, 7881, 8081} <= {each["port"] for each in tcp["ports"]}
    (ingress,) = spec["ingress"]
    assert ingress["ports"] == [{"protocol": "TCP", "port": "http"}]
    assert len(ingress["from"]) == 1


def test_another_configuration_starts_the_pods_anew() -> None:
    """Most settings would be reloaded; nobody does so in a pod."""
    minimal = VALUES["minimal"]
    other = render(minimal, "--set", "config.server_name=x")
    key = "checksum/config"
    before = rendered("minimal").pod["metadata"]["annotations"][key]
    assert other.pod["metadata"]["annotations"][key] != before


def test_names_are_short_enough() -> None:
    """Also of a release with a very long name; a StatefulSet needs room for its revisions."""
    long = render(VALUES["monitoring"], "--set", f"fullnameOverride={'r' * 63}")
    assert all(len(each["metadata"]["name"]) <= 70 for each in long.objects)
    named = {each["kind"]: each["metadata"]["name"] for each in long.objects}
    assert max(len(named[kind]) for kind in NEEDED if kind != "ConfigMap") <= 52


def test_every_value_has_a_type() -> None:
    """values.schema.json is a schema, and knows the keys of values.yaml and no others."""
    schema = json.loads((CHART / "values.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    values = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
    assert set(schema["properties"]) - {"global"} == set(values)
    for key, part in schema["properties"].items():
        if "properties" in part:
            assert set(part["properties"]) == set(values[key]), key
