"""Read the configuration: flags, then the environment, then the YAML file, then the defaults."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from exporter.config.checked import checked
from exporter.config.layers import Layer, merged
from exporter.settings.settings import Settings
from exporter.settings.sources import environment_layer, file_layer, flags_layer

_Model = TypeVar("_Model", bound=BaseModel)


def load_settings(
    path: Path | None,
    flags: Mapping[str, object],
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Merge the file, the environment and the flags into one checked object.

    Args:
        path: The YAML file, or None for none.
        flags: Values by dotted key path (`web.listen_address`); None means not given.
        environ: The environment.

    Raises:
        ConfigError: Something is wrong; its message has one line for each problem.
    """
    given = {key: value for key, value in flags.items() if value is not None}
    layers = [flags_layer(given), environment_layer(environ)]
    if path is not None:
        layers.append(file_layer(path, environ))
    return checked(Settings, layers)


def named_file(path: Path, section: str, key: str) -> Path | None:
    """Return the file that a key names, whatever else is wrong with the configuration.

    Raises:
        ConfigError: The YAML file holds no settings at all.
    """
    values = merged([environment_layer(os.environ), file_layer(path, os.environ)]).get(section)
    name = values.get(key) if isinstance(values, dict) else None
    return Path(name) if isinstance(name, str) and name else None


def override(base: _Model, flags: Mapping[str, object], named: str) -> _Model:
    """Return a part of the configuration with some keys replaced by flags.

    Args:
        base: What is configured: a target, for instance.
        flags: Values by dotted key path within it; None means not given.
        named: What an error line calls the base.

    Raises:
        ConfigError: A flag's value is impossible; one line for each.
    """
    given = {path: value for path, value in flags.items() if value is not None}
    values = base.model_dump(exclude_unset=True)
    return checked(type(base), [flags_layer(given), Layer(values, {(): named})])
