"""Where the ledger is when no setting says so."""

from pathlib import Path

import pytest

from exporter.store.config import StoreConfig, default_folder, folder_of
from exporter.store.records import Retention


@pytest.mark.parametrize(
    ("environ", "user_id", "expected"),
    [
        ({"STATE_DIRECTORY": "/s/a:/s/b", "XDG_STATE_HOME": "/x"}, 0, "/s/a"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/root"}, 0, "/var/lib/voice-exporter"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/home/me"}, 1000, "/x/voice-exporter"),
        ({"HOME": "/home/me"}, 1000, "/home/me/.local/state/voice-exporter"),
        ({}, 1000, "/.local/state/voice-exporter"),
    ],
)
def test_default_folder(environ: dict[str, str], user_id: int, expected: str) -> None:
    """The service manager's word comes first, then root's place, then the person's."""
    assert default_folder(environ, user_id) == Path(expected)


def test_setting_comes_before_all() -> None:
    """A folder that is set is the folder; the retention has the defaults of the records."""
    assert folder_of(StoreConfig(folder=Path("/given"))) == Path("/given")
    assert StoreConfig().retention == Retention()
