"""What every request passes before it reaches a page: path, rate, access, size."""

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from exporter.web.access import COSTLY_PATHS, Access, Refusal
from exporter.web.answers import problem
from exporter.web.refusals import RefusalReason, Refusals
from exporter.web.web_config import WebConfigWatch

BODY_LIMIT = 1024 * 1024
"""Bytes of a request's body."""
_HEADERS: Mapping[bytes, bytes] = {
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}
"""Of every answer that does not say otherwise."""
_ENCODED = (b"%2e", b"%2f", b"%5c", b"%00", b"\\")
"""In a path these only serve to get past somebody's rule."""

_NOT_FOUND = Refusal(RefusalReason.PATH, 404, "not found")
_TOO_LARGE = Refusal(RefusalReason.TOO_LARGE, 413, f"the body is larger than {BODY_LIMIT} bytes")
_TOO_MANY = Refusal(RefusalReason.RATE, 429, "too many requests", {"Retry-After": "1"})


class Gate:
    """ASGI middleware around the whole application."""

    def __init__(
        self, app: ASGIApp, *, access: Access, config: WebConfigWatch, refusals: Refusals
    ) -> None:
        """Set up.

        Args:
            app: What is behind it.
            access: Who may do what.
            config: Users, headers and rate of the web configuration file.
            refusals: Told of every request that is turned away.
        """
        self._app = app
        self._access = access
        self._config = config
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it."""
        if scope["type"] != "http":
            return
        answer = _Answer(send, self._config.current.headers, with_body=scope["method"] != "HEAD")
        refusal = await self._refusal(scope)
        if refusal is not None:
            await self._refuse(refusal, scope, receive, answer)
            return

        await self._app(_as_get(scope), self._limited(scope, receive), answer)

    async def _refusal(self, scope: Scope) -> Refusal | None:
        config = self._config.current
        if not _is_plain(scope["path"], scope.get("raw_path") or b""):
            return _NOT_FOUND
        if config.limiter is not None and not config.limiter.take():
            return _TOO_MANY
        request = HTTPConnection(scope)
        refusal = await self._access.refusal(request, config.users)
        if refusal is None and _announced(request) > BODY_LIMIT:
            refusal = _TOO_LARGE
        return refusal

    def _limited(self, scope: Scope, receive: Receive) -> Receive:
        """Return a `receive` that ends a body beyond the limit, whatever its length was said to be.

        What it raises becomes the answer.
        """
        got = 0

        async def limited() -> Message:
            nonlocal got
            message = await receive()
            got += len(message.get("body", b""))
            if got > BODY_LIMIT:
                self._note(_TOO_LARGE, scope)
                raise HTTPException(_TOO_LARGE.status, _TOO_LARGE.text)
            return message

        return limited

    async def _refuse(self, refusal: Refusal, scope: Scope, receive: Receive, send: Send) -> None:
        self._note(refusal, scope)
        answer = problem(scope["path"], refusal.status, refusal.text, refusal.headers)
        await answer(scope, receive, send)

    def _note(self, refusal: Refusal, scope: Scope) -> None:
        peer = scope["client"][0] if scope.get("client") else ""
        self._refusals.note(refusal.reason, peer, scope["path"])


class _Answer:
    """Sends an answer with the headers of all answers."""

    def __init__(
        self, send: Send, headers: tuple[tuple[bytes, bytes], ...], *, with_body: bool
    ) -> None:
        self._send = send
        self._headers = dict(headers)
        self._with_body = with_body

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            own = {name.lower(): value for name, value in message.get("headers", ())}
            # WWW-Authenticate and the like stand once in our answers: a mapping will do.
            headers = {**_HEADERS, **own, **self._headers}
            message = {**message, "headers": list(headers.items())}
        elif not self._with_body:
            message = {**message, "body": b""}
        await self._send(message)


def _is_plain(path: str, raw_path: bytes) -> bool:
    """Return whether a path means what it says."""
    if any(code in raw_path.lower() for code in _ENCODED) or not path.isprintable():
        return False
    if path == "/":
        return True
    head, *names = path.split("/")
    return head == "" and all(name not in ("", ".", "..") for name in names)


def _announced(request: HTTPConnection) -> int:
    """Return the body's length as the head tells it; 0 if it does not."""
    text = request.headers.get("content-length", "")
    if not (text.isdecimal() and text.isascii()):
        return 0
    return int(text) if len(text) <= len(str(BODY_LIMIT)) else BODY_LIMIT + 1


def _as_get(scope: Scope) -> Scope:
    """Answer HEAD as GET, whose body is then left out; but make no call for a HEAD."""
    if scope["method"] == "HEAD" and scope["path"] not in COSTLY_PATHS:
        return {**scope, "method": "GET"}
    return scope
