"""Labels that a person gives to a target, to route alerts by."""

import re
from typing import Annotated

from pydantic import AfterValidator

from exporter.config.rules import Faults, refuse
from exporter.config.values import MOST_CHARACTERS, invalid, is_name

MOST_LABELS = 10
_NAME = re.compile(r"(?!__)[a-zA-Z_][a-zA-Z0-9_]*")

RESERVED = frozenset(
    {
        *("server", "agent_name", "call_type", "scenario", "vantage", "slo", "page_on", "labels"),
        *("job", "instance", "le", "quantile", "exported_job", "exported_instance"),
        *("alertname", "alertstate", "severity", "state"),
        *("namespace", "pod", "container", "endpoint", "service", "node"),
    }
)
"""Names with a meaning already: of the exporter's own labels and of the rules, of Prometheus, and
of what scrapes in Kubernetes, whose labels the rules take off."""


def _check(labels: dict[str, str]) -> dict[str, str]:
    refuse(_faults(labels))
    return labels


def _faults(labels: dict[str, str]) -> Faults:
    if len(labels) > MOST_LABELS:
        yield invalid(f"has {len(labels)} labels; expected at most {MOST_LABELS}")
    for name, value in labels.items():
        if not _NAME.fullmatch(name):
            yield invalid("is not the name of a label; expected letters, digits and _", name)
        elif name in RESERVED:
            yield invalid("is a reserved name; expected another, such as team", name)
        if not value or len(value) > MOST_CHARACTERS or not is_name(value):
            yield invalid(
                f"{{value}} cannot be shown; expected 1 to {MOST_CHARACTERS} printable characters",
                name,
            )


OwnLabels = Annotated[dict[str, str], AfterValidator(_check)]
"""Names and values; few, because each set of values is a series."""
