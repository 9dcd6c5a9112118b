"""The lock on a store's folder: one exporter at a time."""

import contextlib
import fcntl
import os
from pathlib import Path

from exporter.errors import StoreInUse

LOCK_NAME = "ledger.lock"


class FolderLock:
    """Held by the one exporter that uses a folder, for as long as its process lives."""

    def __init__(self, folder: Path) -> None:
        """Take the lock.

        Raises:
            StoreInUse: Another exporter has it.
            OSError: The file cannot be made.
        """
        file = folder / LOCK_NAME
        self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(self._descriptor, 20).decode("ascii", "replace").strip()
            self.release()
            raise StoreInUse(
                f"{folder} is used by another voice-exporter (process {owner or 'unknown'})"
            ) from None
        except BaseException:
            self.release()
            raise
        with contextlib.suppress(OSError):  # a full disk: only the owner's number is lost
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another have it."""
        os.close(self._descriptor)
