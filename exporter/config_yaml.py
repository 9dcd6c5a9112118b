"""Read YAML strictly: a key may stand once, a date stays text, nothing refers to itself."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

import yaml

from exporter.config_keys import KeyPath


class YamlError(Exception):
    """The text is not YAML that can be a configuration; the message says where and why."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a YAML text says."""

    value: object
    duplicates: tuple[tuple[KeyPath, int], ...]
    """Keys that stand more than once in their mapping, each with the line of the repetition."""


def read_yaml(text: str) -> Document:
    """Parse one YAML document.

    Raises:
        YamlError: The text is not valid YAML, or an alias makes it contain itself.
    """
    loader = _Loader(text)
    try:
        node = loader.get_single_node()
        if node is None:
            return Document(None, ())
        duplicates: list[tuple[KeyPath, int]] = []
        _inspect(node, (), (), duplicates)
        return Document(loader.construct_document(node), tuple(duplicates))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise YamlError(f"{place}{error.problem or error.context}; expected valid YAML") from None
    except (yaml.YAMLError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        raise YamlError(f"{first_line}; expected valid YAML") from None
    finally:
        loader.dispose()


class _Loader(yaml.SafeLoader):
    """Safe, with keys that are always the text written there (`on` is a key, not true)."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - replaces a class attribute of the library
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping, the keys as text."""
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep) for key, value in node.value}


def _inspect(
    node: yaml.Node, path: KeyPath, inside: tuple[int, ...], found: list[tuple[KeyPath, int]]
) -> None:
    """Collect repeated keys; refuse keys that are not text and nodes that contain themselves."""
    if id(node) in inside:
        raise yaml.MarkedYAMLError(problem="an alias contains itself", problem_mark=node.start_mark)
    inside = (*inside, id(node))
    if isinstance(node, yaml.SequenceNode):
        for index, item in enumerate(node.value):
            _inspect(item, (*path, index), inside, found)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise yaml.MarkedYAMLError(problem="a key is not text", problem_mark=key.start_mark)
        if key.value in seen:
            found.append(((*path, key.value), key.start_mark.line + 1))
        seen.add(key.value)
        _inspect(value, (*path, key.value), inside, found)
