"""Read the dashboards as a person would: panels, queries, links."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dashboards.catalogue import documents

Json = dict[str, Any]
DASHBOARDS: dict[str, Json] = {path.stem: json.loads(text) for path, text in documents().items()}
"""What the code builds, by uid."""


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel that shows something; rows are none."""

    uid: str
    """Of its dashboard."""
    content: Json

    def __str__(self) -> str:
        return f"{self.uid}: {self.content['title']}"


def unfolded(uid: str) -> list[Json]:
    """Return the rows and panels of a dashboard in their order, those of folded rows included."""
    return [
        each
        for panel in DASHBOARDS[uid]["panels"]
        for each in (panel, *(panel.get("panels") or ()))
    ]


PANELS = [
    Panel(uid, panel) for uid in DASHBOARDS for panel in unfolded(uid) if panel["type"] != "row"
]


@dataclass(frozen=True, slots=True)
class Query:
    """One query of a panel."""

    panel: Panel
    content: Json

    def __str__(self) -> str:
        return f"{self.panel} {self.content['refId']}"

    @property
    def expr(self) -> str:
        """PromQL, with Grafana's variables in it."""
        return str(self.content["expr"])


QUERIES = [Query(panel, target) for panel in PANELS for target in panel.content["targets"]]


def strings(content: object) -> Iterator[str]:
    """Return every string in a document."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from strings(value)


def selected(expr: str) -> list[str]:
    """Return the names of the metrics that an expression selects."""
    return re.findall(r"([a-zA-Z_:][\w:]*)\{", expr)


def groups(expr: str, metric: str) -> list[frozenset[str] | None]:
    """Return the labels that survive around each mention of a metric; None without aggregation.

    Of several aggregations around it only those labels survive that all of them keep.
    """
    found = []
    for match in re.finditer(rf"\b{metric}\{{", expr):
        open_ = [place for place, _ in _open_parentheses(expr[: match.start()])]
        kept = [labels for place in open_ if (labels := _kept(expr[:place])) is not None]
        found.append(frozenset.intersection(*kept) if kept else None)
    return found


def _open_parentheses(text: str) -> list[tuple[int, str]]:
    """Return the parentheses that are open at the end of a text; those in strings are none."""
    bare = re.sub(r'"[^"]*"', lambda match: "_" * len(match[0]), text)
    stack: list[tuple[int, str]] = []
    for place, letter in enumerate(bare):
        if letter == "(":
            stack.append((place, letter))
        elif letter == ")":
            stack.pop()
    return stack


def _kept(before: str) -> frozenset[str] | None:
    """Return what the aggregation that opens here keeps; None when it is none."""
    grouped = re.search(r"\b(?:sum|max|min|count|avg|group) by \(([^()]*)\) $", before)
    if grouped:
        return frozenset(grouped[1].replace(" ", "").split(","))
    return frozenset() if re.search(r"\b(?:sum|max|min|count|avg|group)$", before) else None
