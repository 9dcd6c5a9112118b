"""How the demo's providers refuse a request: with one line on what was expected."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response


class RequestRefused(Exception):  # noqa: N818 - an answer, not a fault
    """The request is wrong; the message says what was expected."""


async def json_object(request: Request) -> dict[str, Any]:
    """Return the body.

    Raises:
        RequestRefused: It is no JSON object.
    """
    try:
        body = await request.json()
    except ValueError as error:
        raise RequestRefused(f"body: expected JSON: {error}") from error
    if not isinstance(body, dict):
        raise RequestRefused("body: expected a JSON object")
    return body


async def refusal(_request: Request, error: Exception) -> Response:
    """Answer a request that was refused."""
    return failed(400, str(error), "invalid_request_error")


def failed(status: int, message: str, kind: str) -> Response:
    """Return an error in the shape that clients of OpenAI's API expect."""
    return JSONResponse({"error": {"message": message, "type": kind}}, status_code=status)
