"""The shape of answers that are no page: one JSON object for the API, a line for the rest."""

from collections.abc import Mapping

from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel, Field
from starlette.responses import Response

API = "/api/"
TEXT = {"content": {"text/plain": {"schema": {"type": "string"}}}}
"""Of an answer in the OpenAPI document: it is text."""


class Problem(BaseModel):
    """Why a request was not answered as asked."""

    error: str = Field(description="One line for people.")


def problem(
    path: str, status: int, text: str, headers: Mapping[str, str] | None = None
) -> Response:
    """Return an error: JSON below /api/, one line of text elsewhere."""
    own = dict(headers or {})
    if path.startswith(API):
        return JSONResponse(Problem(error=text).model_dump(), status, headers=own)
    return PlainTextResponse(f"{text}\n", status, headers=own)
