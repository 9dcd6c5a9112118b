"""Copies for the Helm chart, which can't read files outside of its own folder."""

import json
from pathlib import Path

ROOT = Path(__file__).parents[1]
CHART = ROOT / "deploy" / "helm" / "voice-exporter"
RULES = ("alerts.yaml", "recording.yaml")


def copies(dashboards: dict[Path, str], chart: Path = CHART) -> dict[Path, str]:
    """Return the text of every file that the chart takes from elsewhere in the tree.

    Dashboards come without white space: a client-side `kubectl apply` keeps a copy of each object
    in an annotation of at most 256 KiB.
    """
    boards = {
        chart / "files" / "dashboards" / path.name: _compact(text)
        for path, text in dashboards.items()
    }
    rules = {
        chart / "files" / "rules" / name: (ROOT / "alerts" / name).read_text("utf-8")
        for name in RULES
    }
    return boards | rules


def _compact(text: str) -> str:
    return json.dumps(json.loads(text), separators=(",", ":"), sort_keys=True) + "\n"
