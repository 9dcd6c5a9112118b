"""Settings of the ledger, and the folder it is kept in where none is set."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

from pydantic import Field

from exporter.config.values import FOLDER, Duration, Section
from exporter.store.records import Retention

_SYSTEM_FOLDER = Path("/var/lib/voice-exporter")
_NAME = "voice-exporter"


class StoreConfig(Section):
    """The ledger on disk: history of runs, budget spent, runs in progress."""

    enabled: bool = Field(
        True,
        description="Keep the ledger on disk; false: in memory only, so that a restart loses the "
        "spent budget.",
    )
    folder: Annotated[Path, FOLDER] | None = Field(
        None,
        description=(
            "Folder of the ledger, for one exporter only; created if missing. Not set: "
            "$STATE_DIRECTORY, else /var/lib/voice-exporter for root, else "
            "$XDG_STATE_HOME/voice-exporter."
        ),
    )
    keep_successes: Duration = Field(
        7 * 86400.0, ge=3600, description="Retention of successful runs."
    )
    keep_failures: Duration = Field(30 * 86400.0, ge=3600, description="Retention of failed runs.")
    max_runs: int = Field(
        100_000,
        ge=100,
        description="Maximum number of runs; the oldest successful runs are deleted first, then "
        "the oldest failed ones.",
    )

    @property
    def retention(self) -> Retention:
        """How long runs are kept."""
        return Retention(self.keep_successes, self.keep_failures, self.max_runs)


def default_folder(environ: Mapping[str, str], user_id: int) -> Path:
    """Return where the ledger is if no setting says so.

    Args:
        environ: The environment; systemd sets `STATE_DIRECTORY` for `StateDirectory=`.
        user_id: Of the exporter's process.
    """
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    if user_id == 0:
        return _SYSTEM_FOLDER
    if state := environ.get("XDG_STATE_HOME"):
        return Path(state) / _NAME
    return Path(environ.get("HOME", "/")) / ".local" / "state" / _NAME


def folder_of(config: StoreConfig) -> Path:
    """Return where the ledger is."""
    return config.folder or default_folder(os.environ, os.getuid())


def evidence_folder(config: StoreConfig) -> Path:
    """Return where calls are kept to be seen and heard: in the same folder."""
    return folder_of(config) / "evidence"
