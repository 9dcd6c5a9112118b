"""Read YAML strictly: a key is text and stands once, a date stays text, nothing holds itself."""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from exporter.config.layers import KeyPath


class NotYamlError(ValueError):
    """A text is no valid YAML."""

    def __init__(self, why: str, mark: yaml.Mark | None = None) -> None:
        self.why = f"{why}; expected valid YAML"
        self.line = mark.line + 1 if mark else None
        """Counted from 1, None where it is not known."""
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        super().__init__(f"{place}{self.why}")


@dataclass(frozen=True, slots=True)
class Twin:
    """A key that stands twice in one mapping."""

    path: KeyPath
    line: int
    """Of the second, counted from 1."""
    first: int


@dataclass(frozen=True, slots=True)
class Document:
    """One YAML document: what it says, and where."""

    value: object
    """None for an empty one; of a key that stands twice, it has the last value."""
    twins: tuple[Twin, ...] = ()
    root: yaml.Node | None = None

    def line(self, path: KeyPath) -> int:
        """Return the line of the key at a path, or of the nearest one above it."""
        if self.root is None:
            return 1
        node, line = self.root, self.root.start_mark.line
        for step in path:
            found = _below(node, step)
            if found is None:
                break
            line, node = found
        return int(line) + 1


def _below(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """Return the line and the value of a key, or of an item."""
    if isinstance(node, yaml.MappingNode):
        # The last of several counts: a mapping's own keys stand behind those that it merges.
        for key, value in reversed(node.value):
            if key.value == str(step):
                return key.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    return None


def read_yaml(text: str) -> Document:
    """Return what one YAML document says.

    Raises:
        NotYamlError: It is not valid YAML; the message says where, and why.
    """
    try:
        loader = _Loader(text)
        root = loader.get_single_node()
        value: object = None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYamlError(str(error.problem or error.context), mark) from None
    except (yaml.YAMLError, ValueError) as error:
        raise NotYamlError(str(error).partition("\n")[0]) from None
    twins = tuple(_twins(root, (), loader.twins)) if root else ()
    return Document(value, twins, root)


def _twins(
    node: yaml.Node, path: KeyPath, twins: dict[yaml.Node, list[tuple[str, int, int]]]
) -> Iterator[Twin]:
    """Yield the keys of a node, and of all below it, that stand twice; each once."""
    for name, line, first in twins.pop(node, ()):
        yield Twin((*path, name), line, first)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from _twins(value, (*path, key.value), twins)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield from _twins(value, (*path, index), twins)


class _Loader(yaml.SafeLoader):
    """Safe, with keys that are always the text written there (`on` is a key, not true)."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - replaces a class attribute of the library
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.deep_construct = True  # at once, so that an alias to what contains it is an error
        self.twins: dict[yaml.Node, list[tuple[str, int, int]]] = {}
        """Keys that stand twice, by their mapping: the key, its line, and that of the first."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping with text for keys."""
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)
        first: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is not text", problem_mark=key.start_mark)
            line = key.start_mark.line + 1
            if key.value in first:
                self.twins.setdefault(node, []).append((key.value, line, first[key.value]))
            first.setdefault(key.value, line)
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep) for key, value in node.value}
