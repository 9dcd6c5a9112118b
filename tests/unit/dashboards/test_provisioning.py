"""What Grafana reads at its start fits the dashboards and the compose file."""

from pathlib import Path
from typing import Any

import yaml

from tests.unit.dashboards.reading import DASHBOARDS

ROOT = Path(__file__).parents[3]
PROVISIONING = ROOT / "dashboards" / "provisioning"


def read(name: str) -> dict[str, Any]:
    """Return one of the files."""
    return dict(yaml.safe_load((PROVISIONING / name).read_text("utf-8")))


def mounts() -> dict[str, Path]:
    """Return what the compose file mounts into Grafana, by the place in the container."""
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    volumes = compose["services"]["grafana"]["volumes"]
    pairs = [volume.split(":") for volume in volumes if volume.startswith("./")]
    return {pair[1]: ROOT / pair[0] for pair in pairs}


def test_the_data_source_is_of_the_kind_that_dashboards_choose_from() -> None:
    """There is one, it is the default, and it is the Prometheus of the compose file."""
    (source,) = read("datasources/prometheus.yaml")["datasources"]
    assert (source["uid"], source["type"], source["isDefault"]) == ("prometheus",) * 2 + (True,)
    assert source["url"] == "http://prometheus:9090"
    for dashboard in DASHBOARDS.values():
        assert dashboard["templating"]["list"][0]["query"] == source["type"]


def test_the_dashboards_are_where_grafana_looks() -> None:
    """The provider's folder is the one that holds the generated files."""
    (provider,) = read("dashboards/voice.yaml")["providers"]
    mounted = mounts()
    assert mounted["/etc/grafana/provisioning"] == PROVISIONING
    folder = mounted[provider["options"]["path"]]
    assert {path.stem for path in folder.glob("*.json")} == set(DASHBOARDS)
