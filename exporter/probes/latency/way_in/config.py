"""How the caller's token is fetched from the user's own endpoint."""

import re
from collections.abc import Collection
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from exporter.config.rules import Faults, rule
from exporter.config.values import FILE, Duration, Section, Stripped, invalid, read_value, split_url

_EXPECTED = "expected http:// or https://, a host and no user or password"
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([\x20-\x7e]*)")


def _check_url(url: str) -> str:
    """Refuse what is no endpoint, without repeating it: its query may hold a secret."""
    if split_url(url, ("http", "https"), _EXPECTED).username is not None:
        raise invalid("contains a user name or password; expected them in headers_file")
    return url


def read_headers(path: Path) -> dict[str, str]:
    """Return the headers that a file holds, one on each line; blank lines and `#` are left out.

    Raises:
        ValueError: The file cannot be read, or a line is no header; without what it holds.
    """
    found = {}
    for number, line in enumerate(str(read_value(path)).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        header = _HEADER.fullmatch(line.strip())
        if header is None:
            raise invalid(f"{{value}} has no header on line {number}; expected NAME: VALUE")
        found[header[1]] = header[2]
    return found


def _check_headers(path: Path) -> Path:
    read_headers(path)
    return path


class TokenConfig(Section):
    """The endpoint of your application that gives callers their tokens.

    `{room}` and `{identity}` in `url` and `body` are replaced by a room's name and a participant's
    identity, new for each call.
    """

    url: Annotated[str, Stripped, AfterValidator(_check_url)] = Field(
        description="URL of the endpoint: http:// or https://."
    )
    method: Literal["POST", "GET"] = Field("POST", description="Method of the request.")
    headers_file: Annotated[Path, FILE, AfterValidator(_check_headers)] | None = Field(
        None,
        description="File with headers of the request, one NAME: VALUE on each line, such as "
        "Authorization. Read again for each call.",
    )
    body: str | None = Field(
        None,
        description=(
            "Body of the request, JSON unless a header says otherwise. Not set: with POST a "
            "request of LiveKit's standard endpoint, with room_name, participant_identity and "
            "participant_attributes; empty: none."
        ),
    )
    timeout: Duration = Field(5.0, gt=0, le=60, description="Time limit of the request.")

    @rule
    def _sends_what_the_method_takes(self) -> Faults:
        if self.method == "GET" and self.body:
            yield invalid("needs method POST; a GET request has no body", "body")


def one_way_in(
    token: TokenConfig | None, dispatch: str, metadata: str, written: Collection[str]
) -> Faults:
    """Yield what is wrong where a target says the same thing as its token, or needs one.

    Args:
        token: Of the target.
        dispatch: How the agent is called.
        metadata: Of the dispatch.
        written: Keys of the target that are set.
    """
    if dispatch == "token" and token is None:
        yield invalid("{value} needs the key token with the url of an endpoint", "dispatch")
    if dispatch == "token" and metadata:
        yield invalid("conflicts with dispatch: token; expected it in the token", "metadata")
    for key in ("room_name", "room", "caller"):
        if token is not None and key in written:
            yield invalid("conflicts with token, which says it; expected one of them", key)
