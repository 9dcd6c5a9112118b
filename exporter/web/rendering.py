"""The templates of the pages, each of which escapes every value, and their policies."""

import secrets
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
        lstrip_blocks=True,
        keep_trailing_newline=True,
        auto_reload=False,
    )


def template(name: str) -> "Template":
    """Return a template of the folder `templates`; it is read once."""
    return _environment().get_template(name)


def new_nonce() -> str:
    """Return a nonce, as of no other answer."""
    return secrets.token_urlsafe(16)


def policy(nonce: str, more: str) -> str:
    """Return the Content-Security-Policy of a page: our own styles and script alone.

    Args:
        nonce: On both of them.
        more: What else the page does: directives, with semicolons between them.
    """
    return (
        f"default-src 'none'; style-src 'nonce-{nonce}'; script-src 'nonce-{nonce}'; {more}; "
        "base-uri 'none'"
    )
