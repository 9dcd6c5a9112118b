"""Which agent names have series of their own: an agent name for each call must not flood a server.

Names are found in rooms and by workers, so whoever names agents decides how many there are.
"""

from collections.abc import Iterable
from dataclasses import replace

from exporter.metrics.registry import Metrics
from exporter.outcome import Listing, Outcome

OTHER = "other"
"""The label of all names beyond the limit, together."""
_CAPPED = "voice_agent_names_capped"


class AgentNames:
    """Gives names that are found a label, in the order in which they are found. Of one thread.

    A name keeps its label for as long as anything is shown of it, so that no series jumps.
    """

    def __init__(self, metrics: Metrics, limit: int, configured: Iterable[str] = ()) -> None:
        """Set up; no name was found yet.

        Args:
            metrics: Where the names beyond the limit are counted.
            limit: Names with a label of their own, besides those that always have one.
            configured: Names that always have one: those that are called.
        """
        self._metrics = metrics
        self._limit = limit
        self._configured = frozenset(configured)
        self._labels: dict[str, str] = {}
        self._used: dict[str, frozenset[str]] = {}
        self._count()

    def reconfigure(self, limit: int, configured: Iterable[str]) -> bool:
        """Follow a new configuration; a new limit gives all names their labels anew.

        Returns:
            Whether a name that is in use has another label now.
        """
        before = {name: self.label(name) for name in self._used_by_all()}
        names = (*self._labels, *sorted(before.keys() - self._labels.keys()))
        kept = self._labels if limit == self._limit else {}
        self._limit, self._configured = limit, frozenset(configured)
        self._labels = {name: kept[name] for name in kept if name not in self._configured}
        self._label_all(name for name in names if name not in kept)
        return before != {name: self.label(name) for name in before}

    def label(self, name: str) -> str:
        """Return the label of a name that is in use, or always has one."""
        return name if name in self._configured else self._labels.get(name, OTHER)

    def use(self, source: str, names: Iterable[str]) -> None:
        """Note all names that a source shows now; those that none shows make room for others."""
        self._used[source] = frozenset(names)
        used = self._used_by_all()
        for name in self._labels.keys() - used:
            del self._labels[name]
        self._label_all(sorted(used - self._labels.keys()))

    def capped(self, outcome: Outcome) -> Outcome:
        """Return an outcome with labels in place of the names that a listing found."""
        listing = outcome.result
        if not isinstance(listing, Listing):
            return outcome
        found = {each.agent_name for each in listing.agents}
        self.use("listing", found | {each.agent_name for each in listing.pending})
        agents = (replace(each, agent_name=self.label(each.agent_name)) for each in listing.agents)
        waits = (replace(each, agent_name=self.label(each.agent_name)) for each in listing.pending)
        return replace(outcome, result=replace(listing, agents=tuple(agents), pending=tuple(waits)))

    def _used_by_all(self) -> frozenset[str]:
        return frozenset().union(*self._used.values())

    def _label_all(self, names: Iterable[str]) -> None:
        own = sum(label != OTHER for label in self._labels.values())
        for name in names:
            if name not in self._configured:
                self._labels[name] = name if own < self._limit else OTHER
                own += self._labels[name] != OTHER
        self._count()

    def _count(self) -> None:
        capped = sum(label == OTHER != name for name, label in self._labels.items())
        self._metrics.set(_CAPPED, capped)


class ShownNames:
    """The names that one source shows, each for as long as this process: it has counters."""

    def __init__(self, names: AgentNames, source: str) -> None:
        """Begin without any.

        Args:
            names: Which names have labels of their own.
            source: Who shows them.
        """
        self._names = names
        self._source = source
        self._shown: set[str] = set()

    def use(self, names: Iterable[str]) -> None:
        """Note names that are shown now, besides; those before that have no counters go."""
        self._names.use(self._source, self._shown | set(names))

    def label(self, agent_name: str) -> str:
        """Return the label of a name that is shown from now on."""
        label = self._names.label(agent_name)
        if label == OTHER and agent_name not in self._shown:
            self.use({agent_name})
            label = self._names.label(agent_name)
        if label != OTHER:
            self._shown.add(agent_name)
        return label
