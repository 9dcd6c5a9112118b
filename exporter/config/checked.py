"""From what the places say to a checked model, or to one line for everything that is wrong."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from exporter.config.error_messages import explain
from exporter.config.layers import Layer, merged
from exporter.config.rules import every_fault
from exporter.config.strict_yaml import Document, NotYamlError, read_yaml
from exporter.errors import ConfigError

_Model = TypeVar("_Model", bound=BaseModel)


def checked(model: type[_Model], layers: Sequence[Layer]) -> _Model:
    """Return what layers say together.

    Args:
        model: What it is.
        layers: The strongest first.

    Raises:
        ConfigError: Something is wrong; its message has one line for each fault, of values, of
            keys, and between keys.
    """
    values = merged(layers)
    try:
        made = model.model_validate(values)
        faults = []
    except ValidationError as error:
        faults = every_fault(error, model, values)
    if faults or any(layer.faults for layer in layers):
        raise ConfigError(explain(faults, model, layers))
    return made


def read_document(file: Path) -> tuple[Document, dict[str, Any]]:
    """Return a YAML file and the mapping that it holds, an empty one for an empty file.

    Raises:
        ConfigError: It cannot be read, or holds no settings at all; one line.
    """
    try:
        document = read_yaml(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{file}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{file}: is not UTF-8 text") from None
    except NotYamlError as error:
        place = f":{error.line}" if error.line else ""
        raise ConfigError(f"{file}{place}: {error.why}") from None
    if not isinstance(document.value, dict | None):
        raise ConfigError(
            f"{file}:{document.line(())}: is not a mapping of settings; expected `key: value`"
        )
    return document, document.value or {}


def document_layer(
    file: Path, document: Document, values: dict[str, Any], written: dict[str, Any] | None = None
) -> Layer:
    """Return what a YAML file says, and the keys that stand in it twice.

    Args:
        file: Its name.
        document: The file.
        values: What is meant by its values.
        written: The same as a person wrote it, if that is otherwise.
    """
    layer = Layer(values, {(): str(file)}, written, document.line)
    layer.faults += (
        (twin.path, twin.line, f"is a duplicate of line {twin.first}; expected the key once")
        for twin in document.twins
    )
    return layer
