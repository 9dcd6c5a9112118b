"""The text of /metrics, from a snapshot.

The client library renders a series in some ten microseconds, at every scrape, although most are
the same as at the last one. Here the lines of a series are made when it has changed, and a page
only joins them. Both formats write samples alike; they differ in the names of counters' families
and in their end.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics
from prometheus_client.utils import floatToGoString

from exporter.series import Family, Labels

_END = "# EOF\n"
"""The last line of OpenMetrics."""
_OPENMETRICS = "application/openmetrics-text"
_VERSIONS = ("", "1.0.0")
"""Those of OpenMetrics that a client may ask for; none means the same."""
_NO_EXEMPLARS: Mapping[int, str] = {}
_ESCAPES = str.maketrans({"\\": r"\\", "\n": r"\n", '"': r"\""})


@dataclass(frozen=True, slots=True)
class Block:
    """The lines of one family at one moment."""

    family: Family
    lines: tuple[str, ...] = ()
    """Of each series, each with its newline."""
    exemplary: tuple[str, ...] = ()
    """The same with exemplars, which only OpenMetrics has."""

    def text(self, *, openmetrics: bool) -> str:
        """Return HELP, TYPE and samples."""
        family = self.family
        name = family.name.removesuffix("_total") if openmetrics else family.name
        head = f"# HELP {name} {family.help}\n# TYPE {name} {family.kind}\n"
        return head + "".join(self.exemplary if openmetrics else self.lines)


@dataclass(frozen=True, slots=True)
class Format:
    """One of the two formats."""

    openmetrics: bool

    @property
    def content_type(self) -> str:
        """The header of that name."""
        return choose_encoder(f"{_OPENMETRICS};version=1.0.0" if self.openmetrics else "")[1]

    @classmethod
    def accepted(cls, accept: str) -> "Format":
        """Return what a header `Accept` asks for: text, or OpenMetrics 1.0.0."""
        return cls(any(map(_asks_for_openmetrics, accept.split(","))))

    def page(self, snapshot: Iterable[Block], others: CollectorRegistry) -> str:
        """Return a page.

        Args:
            snapshot: The exporter's own series.
            others: What the client library renders: process_* and python_*.
        """
        generate = generate_openmetrics if self.openmetrics else generate_latest
        library = generate(others).decode().removesuffix(_END)
        own = "".join(block.text(openmetrics=self.openmetrics) for block in snapshot)
        return own + library + (_END if self.openmetrics else "")


def sample_heads(
    family: Family, server: str, labels: Labels, bounds: Sequence[str]
) -> Iterator[str]:
    """Yield what stands before the values of one series: names, and labels sorted by name.

    Args:
        family: Of the series.
        server: The label of that name.
        labels: The others.
        bounds: Upper bounds of a histogram's buckets, `+Inf` at the end; () of other kinds.
    """
    values = {"server": server, **family.named(labels)}
    if not bounds:
        yield f"{family.name}{_label_text(values)}"
        return
    # The labels of all buckets differ by one: a page has hundreds of thousands of such lines.
    before = "".join(f"{_pair(name, values[name])}," for name in sorted(values) if name < "le")
    after = "".join(f",{_pair(name, values[name])}" for name in sorted(values) if name > "le")
    for bound in bounds:
        yield f'{family.name}_bucket{{{before}le="{bound}"{after}}}'
    text = _label_text(values)
    yield f"{family.name}_count{text}"
    yield f"{family.name}_sum{text}"


def sample_lines(
    heads: Iterable[str], values: Iterable[float], exemplars: Mapping[int, str] = _NO_EXEMPLARS
) -> str:
    """Return the lines of one series.

    Args:
        heads: What stands before each value.
        values: In the same order.
        exemplars: By the place of the line that has one.
    """
    pairs = enumerate(zip(heads, values, strict=True))
    return "".join(
        f"{head} {number_text(value)}{exemplars.get(place, '')}\n" for place, (head, value) in pairs
    )


def exemplar_text(run_id: str, value: float, at: float) -> str:
    """Return what stands behind a bucket to name a run: its id, its value, its Unix time."""
    return f" # {_label_text({'run_id': run_id})} {number_text(value)} {at:.3f}"


def number_text(value: float) -> str:
    """Return a number as both formats write it."""
    return str(floatToGoString(value))  # type: ignore[no-untyped-call] # the library's own


def _label_text(values: dict[str, str]) -> str:
    return f"{{{','.join(_pair(name, values[name]) for name in sorted(values))}}}"


def _pair(name: str, value: str) -> str:
    return f'{name}="{value.translate(_ESCAPES)}"'


def _asks_for_openmetrics(part: str) -> bool:
    """Return whether one part of a header `Accept` asks for it, in a version that we have."""
    kind, *parameters = (text.strip() for text in part.split(";"))
    pairs = (text.partition("=")[::2] for text in parameters)
    version = next((value for name, value in pairs if name == "version"), "")
    return kind == _OPENMETRICS and version.strip('"') in _VERSIONS
