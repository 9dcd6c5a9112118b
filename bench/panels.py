"""Ask a Prometheus for what the panels of every dashboard show, and tell which have data.

`python -m bench.panels URL` prints JSON: for each dashboard the panels that have data, and those
that do not. It asks for all values of each variable, over the last half hour, as Grafana does.
"""

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

import httpx

from tests.monitoring import grafana


class Asker:
    """The API of one Prometheus."""

    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/api/v1", timeout=30, trust_env=False)

    def label_values(self, selector: str, label: str) -> tuple[str, ...]:
        """Return the values of a label, of what a selector matches or of everything."""
        match = {"match[]": selector} if selector else {}
        return tuple(self._data("GET", f"label/{label}/values", match))

    def has_data(self, expression: str) -> bool:
        """Return whether a graph of the expression shows a number."""
        now = time.time()
        span = {
            "query": expression,
            "start": now - grafana.SPAN_S,
            "end": now,
            "step": grafana.STEP_S,
        }
        found = self._data("POST", "query_range", span)["result"]
        return any(value != "NaN" for series in found for _, value in series["values"])

    def _data(self, method: str, path: str, parameters: Mapping[str, Any]) -> Any:
        body = parameters if method == "POST" else None  # expressions may be longer than a URL
        query = parameters if method == "GET" else None
        answer = self._http.request(method, path, params=query, data=body)
        return answer.raise_for_status().json()["data"]


def look(url: str) -> dict[str, dict[str, list[str]]]:
    """Return the panels of each dashboard, those with data apart from those without."""
    prometheus = Asker(url)
    found: dict[str, dict[str, list[str]]] = {}
    for dashboard in grafana.load():
        values = grafana.settle(dashboard.variables, prometheus.label_values, everything=True)
        one = grafana.settle(dashboard.variables, prometheus.label_values, everything=False)
        states = found[dashboard.uid] = {"with data": [], "without": []}
        for query in dashboard.queries:
            chosen = values | {name: one[name] for name in filter(None, [query.repeated_by])}
            expression = grafana.substitute(query.expression, chosen)
            states["with data" if prometheus.has_data(expression) else "without"].append(
                query.place
            )
    return found


if __name__ == "__main__":
    json.dump(look(sys.argv[1]), sys.stdout)
