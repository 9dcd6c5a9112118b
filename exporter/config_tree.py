"""One tree of raw values in which every value knows where it was written."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from exporter.config_keys import Key, KeyPath, Kind, dotted, general


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a person must correct."""

    where: str
    """A file, an environment variable or a flag."""
    key: str
    """The key's path, or "" when `where` says it all."""
    text: str
    """What is wrong and what was expected."""

    def __str__(self) -> str:
        """Return the one line that people read."""
        return ": ".join(part for part in (self.where, self.key, self.text) if part)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value was written."""

    where: str
    path: KeyPath
    """The key that is set there; a file sets the root, a variable or a flag one key."""

    def problem(self, path: KeyPath, text: str) -> Problem:
        """Return the problem, with the key unless the variable or flag stands for just that."""
        named = self.path == path and path != ()
        return Problem(self.where, "" if named else dotted(path), text)


@dataclass(slots=True)
class Tree:
    """Raw values, merged from the lowest layer to the highest."""

    keys: Mapping[tuple[str, ...], Key]
    values: dict[str, object] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    faulty: set[KeyPath] = field(default_factory=set)
    """Keys that already have a problem: a second line about the same key would not help."""
    raw: dict[KeyPath, str] = field(default_factory=dict)
    """What was written where the value in use differs: `${NAME}`, a relative path."""
    origins: dict[KeyPath, Origin] = field(default_factory=dict)

    def assign(self, path: KeyPath, value: object, where: str) -> None:
        """Set one key, replacing whatever a lower layer had below it."""
        origin = Origin(where, path)
        target = self._container(path, origin)
        if target is None:
            return
        last = path[-1]
        if isinstance(target, list) and isinstance(last, int):
            target[last : last + 1] = [value]
        elif isinstance(target, dict):
            target[last] = value
        self._forget(path)
        self.origins[path] = origin

    def assign_root(self, values: dict[str, object], where: str) -> None:
        """Set everything at once: what a file says."""
        self.values = values
        self.origins[()] = Origin(where, ())

    def replace(self, path: KeyPath, value: object, *, written: str) -> None:
        """Put the value meant in place of the one written, which error lines go on to show."""
        section = self.get(path[:-1])
        if isinstance(section, dict | list):
            section[path[-1]] = value  # type: ignore[index] # a list's part is an index
        self.raw[path] = written

    def drop(self, path: KeyPath) -> None:
        """Remove one key of a section, if it is there."""
        section = self.get(path[:-1])
        if isinstance(section, dict):
            section.pop(path[-1], None)
            self._forget(path)

    def get(self, path: KeyPath) -> object:
        """Return the value at a path, or None."""
        value: object = self.values
        for part in path:
            if isinstance(value, dict):
                value = value.get(part)
            elif isinstance(value, list) and isinstance(part, int) and part < len(value):
                value = value[part]
            else:
                return None
        return value

    def key(self, path: KeyPath) -> Key | None:
        """Return what is known about the key at a path."""
        return self.keys.get(general(path))

    def report(self, path: KeyPath, text: str) -> None:
        """Note a problem with a key, unless it has one already."""
        if path not in self.faulty:
            self.faulty.add(path)
            self.problems.append(self.origin(path).problem(path, text))

    def origin(self, path: KeyPath) -> Origin:
        """Return where a key was set: itself, or the nearest of its sections."""
        for length in range(len(path), 0, -1):
            if path[:length] in self.origins:
                return self.origins[path[:length]]
        return self.origins.get((), Origin("configuration", ()))

    def leaves(self) -> Iterator[tuple[KeyPath, object]]:
        """Yield every value that is no section and no list, with its path."""
        yield from _leaves((), self.values)

    def shown(self, path: KeyPath) -> str:
        """Return a value for an error line: as it was written, short, and never a secret."""
        value, key = self.get(path), self.key(path)
        if path in self.raw:
            return self.raw[path]
        if key and key.kind is Kind.SECRET:
            return "the value"
        if isinstance(value, str) and key and key.kind in _UNQUOTED and value.isprintable():
            return value[:_SHOWN] or "''"
        return show(value)

    def _container(self, path: KeyPath, origin: Origin) -> object:
        """Return the section or list that holds a key, making sections on the way."""
        at: object = self.values
        for depth, part in enumerate(path):
            if isinstance(part, int):
                if not isinstance(at, list):
                    return None  # what stands there is wrong, and is reported as that
                if part > len(at):
                    text = f"{dotted(path[: depth + 1])} does not exist; expected an index up to"
                    self.problems.append(Problem(origin.where, "", f"{text} {len(at)}"))
                    return None
            elif not isinstance(at, dict):
                return None
            if depth == len(path) - 1:
                return at
            if self.get(path[: depth + 1]) is None:
                self.origins[path[: depth + 1]] = origin
            at = _descend(at, part, [] if isinstance(path[depth + 1], int) else {})
        return None

    def _forget(self, path: KeyPath) -> None:
        for at in [at for at in self.origins if at[: len(path)] == path]:
            del self.origins[at]
        for at in [at for at in self.raw if at[: len(path)] == path]:
            del self.raw[at]


_SHOWN = 60
"""Characters of a value that an error line repeats."""
_UNQUOTED = frozenset({Kind.DURATION, Kind.NUMBER, Kind.WHOLE})


def show(value: object) -> str:
    """Return a value for an error line, short."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list"
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 4]}...{text[-1]}"


def _descend(at: object, part: str | int, empty: object) -> object:
    """Return the section or list under a part, putting an empty one where nothing stands."""
    if isinstance(at, list) and isinstance(part, int):
        if part == len(at):
            at.append(empty)
        return at[part]
    if isinstance(at, dict):
        if at.get(part) is None:
            at[part] = empty
        return at[part]
    return None


def _leaves(path: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _leaves((*path, name), inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _leaves((*path, index), inner)
    else:
        yield path, value
