"""Read YAML strictly: a key is text and stands once, a date stays text, nothing holds itself."""

from collections.abc import Hashable
from typing import Any

import yaml


def read_yaml(text: str) -> object:
    """Return what one YAML document says; None for an empty one.

    Raises:
        ValueError: It is not valid YAML, or keys stand twice; each line says where, and what.
    """
    try:
        loader = _Loader(text)
        document: object = loader.get_single_data()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        position = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise ValueError(
            f"{position}{error.problem or error.context}; expected valid YAML"
        ) from None
    except (yaml.YAMLError, ValueError) as error:
        first_line = str(error).partition("\n")[0]
        raise ValueError(f"{first_line}; expected valid YAML") from None
    if loader.twins:
        raise ValueError("\n".join(line for _, line in sorted(loader.twins)))
    return document


class _Loader(yaml.SafeLoader):
    """Safe, with keys that are always the text written there (`on` is a key, not true)."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - replaces a class attribute of the library
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.deep_construct = True  # at once, so that an alias to what contains it is an error
        self.twins: list[tuple[int, str]] = []
        """Duplicate keys of a mapping: the line, and the message."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Hashable, Any]:
        """Build a mapping with text for keys."""
        if not isinstance(node, yaml.MappingNode):
            return super().construct_mapping(node, deep)
        keys: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise yaml.MarkedYAMLError(problem="a key is not text", problem_mark=key.start_mark)
            if key.value in keys:
                line = key.start_mark.line + 1
                text = f"line {line}: duplicate key {key.value}; expected it once"
                self.twins.append((line, text))
            keys.add(key.value)
        self.flatten_mapping(node)
        return {key.value: self.construct_object(value, deep) for key, value in node.value}
