"""Every error that this package raises on purpose.

    ExporterError
    ├── ConfigError        what a person must correct before anything runs; exit status 2
    ├── ProbeError         a probe could not measure; carries the Reason that becomes a label
    └── StoreError         the ledger cannot be read or written now; the exporter goes on without
        └── StoreInUse     another exporter has it

Errors of other libraries are turned into these at one border each: `server_api` for the server
API, `rtc.connection` for the real-time SDK, `config` for pydantic and YAML, `store.sqlite_file` for
SQLite, `store.redis.connect` for redis-py.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from exporter.outcome import Reason


class ExporterError(Exception):
    """Base of all errors of this package."""


class ConfigError(ExporterError):
    """A setting, flag or file is wrong.

    The message is one line: what is wrong, where (file and key), and what was expected.
    """


class ProbeError(ExporterError):
    """A probe ended without a measurement.

    Attributes:
        reason: The bounded cause, used as a metric label.
        detail: One line for people: what was seen and what was expected. Holds no secret.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail

    def __reduce__(self) -> tuple[type["ProbeError"], tuple[Reason, str]]:
        """Pickle by the two arguments, so that the error crosses the process border."""
        return type(self), (self.reason, self.detail)


class StoreError(ExporterError):
    """The store cannot be read or written now.

    The message is one line: what could not be done, where, and why.
    """


class StoreInUse(StoreError):  # noqa: N818 - the suffix is its parent's
    """Another exporter has this store."""


@contextmanager
def first_probe_error() -> Iterator[None]:
    """Let the first ProbeError out of a task group by itself; a group with other errors stays.

    Not by `except*`: with Python 3.11.2 what is raised there comes out in a group again.

    Raises:
        ProbeError: What ended the first of the tasks; it stands for all.
        BaseExceptionGroup: A task ended by another error.
    """
    try:
        yield
    except BaseExceptionGroup as group:
        errors = [*_leaves(group)]
        if not all(isinstance(error, ProbeError) for error in errors):
            raise
        raise errors[0] from None


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
