"""The templates of the pages; each escapes every value."""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jinja2 import Environment, Template


@cache
def _environment() -> "Environment":
    from jinja2 import (  # noqa: PLC0415 - processes that serve no page do without
        Environment,
        PackageLoader,
        StrictUndefined,
    )

    return Environment(
        loader=PackageLoader("exporter.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def template(name: str) -> "Template":
    """Return a template of the folder `templates`; it is read once."""
    return _environment().get_template(name)
