"""Users and their passwords, hashed with bcrypt."""

import asyncio
import base64
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping

import bcrypt

_CACHED = 256
"""Users' last passwords that need no second bcrypt: more than there are users."""
_WAITING = 16
"""Checks that may wait for the one that runs; a flood of wrong passwords goes no further."""
_BCRYPT_READS = 72
"""Bytes of a password that bcrypt looks at; the library refuses longer ones instead."""


class TooManyChecks(Exception):  # noqa: N818 - tells what is, not what failed
    """So many passwords wait to be checked that one more must come later."""


class BasicAuth:
    """Checks passwords, off the event loop and one at a time."""

    def __init__(self, users: Mapping[str, str]) -> None:
        """Take the users.

        Args:
            users: bcrypt hash by name.
        """
        self._users = {name: hashed.encode() for name, hashed in users.items()}
        # An unknown user costs as much time as a known one: this hash is checked and ignored.
        self._decoy = max(self._users.values(), key=lambda hashed: hashed[4:6], default=b"")
        self._key = secrets.token_bytes(32)
        self._good: OrderedDict[bytes, None] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()
        self._waiting = 0

    def __bool__(self) -> bool:
        """Whether there are users, so that a password is needed."""
        return bool(self._users)

    async def accepts(self, authorization: str) -> bool:
        """Return whether a header `Authorization` has a user's name and password.

        Raises:
            TooManyChecks: Too many others wait for the same.
        """
        credentials = _credentials(authorization)
        if credentials is None:
            return False
        user, password = credentials
        hashed = self._users.get(user, self._decoy)
        # What was good is remembered by a keyed digest: passwords are kept nowhere.
        digest = hmac.digest(self._key, b"\0".join((hashed, user.encode(), password)), "sha256")
        if digest in self._good:
            self._good.move_to_end(digest)
            return True
        good = await self._check(password, hashed) and user in self._users
        if good:
            self._good[digest] = None
            while len(self._good) > _CACHED:
                self._good.popitem(last=False)
        return good

    async def _check(self, password: bytes, hashed: bytes) -> bool:
        if self._waiting >= _WAITING:
            raise TooManyChecks
        self._waiting += 1
        try:
            async with self._one_at_a_time:
                return await asyncio.to_thread(bcrypt.checkpw, password[:_BCRYPT_READS], hashed)
        finally:
            self._waiting -= 1


def _credentials(authorization: str) -> tuple[str, bytes] | None:
    """Return name and password, None where there are none."""
    scheme, _, coded = authorization.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        decoded = base64.b64decode(coded.strip(), validate=True)
    except ValueError:
        return None
    user, colon, password = decoded.partition(b":")
    if not colon:
        return None
    return user.decode("utf-8", "replace"), password
