"""Every path, port and name in docker-compose.yml is there, and means what it says."""

import re
import subprocess
import sys
from collections.abc import Iterator
from fnmatch import fnmatch
from itertools import chain

import pytest
import yaml

from exporter import __version__
from exporter.demo.livekit_binary import IMAGE
from exporter.settings.sources import NAMES
from tests.deploy.compose import FILE, ROOT, Service, document, services
from tests.offenders import every

DEPLOY = ROOT / "deploy"
PROVISIONING = ROOT / "dashboards" / "provisioning"
PINNED = re.compile(r"v?\d+\.\d+\.\d+")
ADDRESS = re.compile(r"\b(?:(?:https?|ws)://)?([a-z][a-z0-9-]*|127\.0\.0\.1|0\.0\.0\.0):(\d+)")
OF_GRAFANA = {
    "GF_ANALYTICS_CHECK_FOR_PLUGIN_UPDATES",
    "GF_ANALYTICS_CHECK_FOR_UPDATES",
    "GF_ANALYTICS_REPORTING_ENABLED",
    "GF_AUTH_ANONYMOUS_ENABLED",
    "GF_AUTH_ANONYMOUS_ORG_ROLE",
    "GF_AUTH_BASIC_ENABLED",
    "GF_AUTH_DISABLE_LOGIN_FORM",
    "GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH",
    "GF_NEWS_NEWS_FEED_ENABLED",
    "GF_PLUGINS_PREINSTALL_DISABLED",
    "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION",
}
"""Its settings, as its documentation names them: GF_, the section, the key."""
OF_IMAGES = {"alertmanager": {9093}, "grafana": {3000}, "prometheus": {9090}}
"""Ports that the images listen on when nothing else is said."""

each_service = every(services().values(), lambda service: service.name)


def ports(service: Service) -> set[int]:
    """Return the ports that a service listens on, as its own configuration says."""
    if service.name == "livekit":
        config = yaml.safe_load((DEPLOY / "livekit.yaml").read_text("utf-8"))
        return {config["port"], config["rtc"]["tcp_port"]}
    if service.name == "exporter":
        config = yaml.safe_load((DEPLOY / "voice-exporter.yaml").read_text("utf-8"))
        return {int(config["web"]["listen_address"].rpartition(":")[2])}
    if service.name in ("agent", "providers"):
        return {int(service.flag("port"))}
    return OF_IMAGES.get(service.name, set())


def test_it_follows_the_published_schema() -> None:
    """The schema of the compose specification accepts it; nothing is fetched for that."""
    command = [
        *(sys.executable, "-m", "check_jsonschema"),
        *("--builtin-schema", "vendor.compose-spec", str(FILE)),
    ]
    checked = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert checked.returncode == 0, checked.stdout + checked.stderr


@each_service
def test_images_are_pinned(service: Service) -> None:
    """No tag moves, and ours are those of this version."""
    assert PINNED.fullmatch(service.tag), service.image
    assert ("build" in service.raw) == service.is_own
    if service.is_own:
        assert service.tag == __version__


def test_the_server_is_the_one_that_is_tested() -> None:
    """The demo on a machine and the demo in containers run the same livekit-server."""
    assert services()["livekit"].image == IMAGE


def test_images_are_built_from_stages_that_exist() -> None:
    """Every target is a stage of the Dockerfile."""
    stages = set(re.findall(r"(?m)^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text("utf-8")))
    built = [each.raw["build"] for each in services().values() if each.is_own]
    assert {build["target"] for build in built} == {"exporter", "demo"} <= stages
    assert {build["context"] for build in built} == {"."}


@each_service
def test_mounts_exist(service: Service) -> None:
    """What is mounted is in the tree, or a volume of the file; the tree is not written to."""
    for mount in service.mounts:
        if mount.path is None:
            assert mount.source in document()["volumes"], mount
        else:
            assert mount.path.exists(), mount
            assert mount.read_only, mount


def test_volumes_are_used() -> None:
    """No volume is left over."""
    used = {mount.source for each in services().values() for mount in each.mounts}
    assert set(document()["volumes"]) <= used


@pytest.mark.parametrize(
    ("name", "flag"), [("prometheus", "config.file"), ("alertmanager", "config.file")]
)
def test_a_configuration_is_mounted_where_it_is_read(name: str, flag: str) -> None:
    """The path on the command line is that of a mounted file."""
    service = services()[name]
    assert service.flag(flag) in {mount.target for mount in service.mounts if mount.path}


def test_the_exporter_reads_what_is_mounted() -> None:
    """The image's own command names the file that the compose file puts there."""
    dockerfile = (ROOT / "Dockerfile").read_text("utf-8")
    mounted = [mount.target for mount in services()["exporter"].mounts if mount.path]
    assert f'"--config", "{mounted[0]}"' in dockerfile
    assert {"/var/lib/voice-exporter"} <= {each.target for each in services()["exporter"].mounts}


def test_the_server_reads_what_is_mounted() -> None:
    """Its configuration, and the keys that are made for it."""
    livekit = services()["livekit"]
    targets = {mount.target for mount in livekit.mounts}
    assert livekit.command[1] in targets
    config = yaml.safe_load((DEPLOY / "livekit.yaml").read_text("utf-8"))
    assert config["key_file"].rpartition("/")[0] in targets


@pytest.mark.parametrize("name", ["agent", "exporter"])
def test_credentials_are_those_that_were_made(name: str) -> None:
    """They come from files in the volume that the server has its keys from."""
    text = "\n".join(services()[name].environment.values())
    if name == "exporter":
        text = (DEPLOY / "voice-exporter.yaml").read_text("utf-8")
    script = (DEPLOY / "make-keys.sh").read_text("utf-8")
    folder = next(
        mount.target for mount in services()[name].mounts if mount.source == "livekit-keys"
    )
    files = re.findall(rf"{folder}/(\w+)", text)
    assert sorted(files) == ["api_key", "api_secret"]
    assert all(f'>"$folder/{file}"' in script for file in files)


def test_rules_are_mounted_where_prometheus_looks() -> None:
    """Both files of rules match the pattern, and nothing else is mounted beside them."""
    config = yaml.safe_load((DEPLOY / "prometheus.yml").read_text("utf-8"))
    (pattern,) = config["rule_files"]
    rules = [m for m in services()["prometheus"].mounts if fnmatch(m.target, pattern)]
    assert [mount.source for mount in rules] == ["./alerts/recording.yaml", "./alerts/alerts.yaml"]


def test_dashboards_are_mounted_where_grafana_looks() -> None:
    """The folder that is provisioned is mounted, and the first page is one of its files."""
    grafana = services()["grafana"]
    folders = {mount.target: mount for mount in grafana.mounts}
    files = sorted((PROVISIONING / "dashboards").glob("*.yaml"))
    providers = [yaml.safe_load(file.read_text("utf-8"))["providers"] for file in files]
    paths = {provider["options"]["path"] for provider in chain.from_iterable(providers)}
    assert paths
    assert paths <= set(folders)
    folder, _, file = grafana.environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"].rpartition(
        "/"
    )
    home = folders[folder].path
    assert home is not None
    assert (home / file).exists()


def addresses() -> Iterator[tuple[str, str, int]]:
    """Yield every address that something names: where it is named, the host, the port."""
    for service in services().values():
        for host, port in ADDRESS.findall("\n".join(service.texts())):
            local = host in ("127.0.0.1", "0.0.0.0", "localhost")  # noqa: S104 - is compared
            yield service.name, service.name if local else host, int(port)
    files = [DEPLOY / "livekit.yaml", DEPLOY / "prometheus.yml", DEPLOY / "voice-exporter.yaml"]
    for file in [*files, *sorted(PROVISIONING.glob("*/*.yaml"))]:
        lines = (line.partition("#")[0] for line in file.read_text("utf-8").splitlines())
        for host, port in ADDRESS.findall("\n".join(lines)):
            if host not in ("hours", "127.0.0.1"):
                yield file.name, host, int(port)


def test_addresses_are_found() -> None:
    """The pattern sees those of every kind of service."""
    assert {host for _, host, _ in addresses()} > {"livekit", "exporter", "agent", "providers"}


@every(addresses())
def test_addresses_are_those_of_services(address: tuple[str, str, int]) -> None:
    """Every host is a service, and every port one that it listens on."""
    _, host, port = address
    assert host in services()
    assert port in ports(services()[host])


@each_service
def test_ports_are_published_to_this_host_alone(service: Service) -> None:
    """A published port is one that the service listens on; no other host reaches it."""
    for each in service.published:
        assert each.address == "127.0.0.1"
        assert each.port == each.target
        assert each.target in ports(service)


@each_service
def test_environment_names_are_settings(service: Service) -> None:
    """A misspelt variable would be ignored without a word."""
    known = OF_GRAFANA if service.name == "grafana" else set(NAMES.values())
    assert set(service.environment) <= known


@each_service
def test_no_secret_is_written_down(service: Service) -> None:
    """What is secret comes from a file, and no variable holds it."""
    for name in service.environment:
        assert not re.search(r"SECRET|PASSWORD|TOKEN|KEY", name.removesuffix("_FILE")) or (
            name.endswith("_FILE") or name == "GF_SECURITY_DISABLE_INITIAL_ADMIN_CREATION"
        )


@each_service
def test_the_order_of_the_start_is_kept(service: Service) -> None:
    """Whatever is waited for can become healthy, and nothing waits for itself."""
    for name, condition in service.needs.items():
        wanted = services()[name]
        if condition == "service_completed_successfully":
            assert wanted.name == "keys"
        else:
            assert condition == "service_healthy"
            assert wanted.health or wanted.name == "exporter", f"{name} has no health check"
    assert service.name not in before(service)


def before(service: Service) -> set[str]:
    """Return all services that come before one."""
    names = set(service.needs)
    return names.union(*(before(services()[name]) for name in names))


@each_service
def test_health_checks_use_what_the_image_has(service: Service) -> None:
    """Ours ships a program for it; the others are made from images with wget."""
    if service.name in ("keys", "exporter"):
        assert not service.health
        return
    text = " ".join(service.health)
    assert ("voice-exporter-healthcheck" in text) == service.is_own
    assert ("wget" in text) != service.is_own


@each_service
def test_containers_may_do_little(service: Service) -> None:
    """No capability, nothing gained by a program, and a root that is not written to."""
    assert service.raw["cap_drop"] == ["ALL"]
    assert service.raw["security_opt"] == ["no-new-privileges:true"]
    assert service.raw.get("read_only") or service.name == "grafana"
