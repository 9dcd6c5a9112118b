"""Credentials in files, which are rotated while the exporter runs."""

import asyncio
from pathlib import Path

import pytest

from exporter.daemon.credentials import LOOKED_AT_EVERY_S, CredentialFiles
from exporter.daemon.pages import notes
from exporter.daemon.parts import Daemon
from exporter.outcome import Outcome, Reason
from exporter.settings.settings import Settings
from tests.unit.calls import WHEN


class Rotated:
    """A daemon whose key, secret and token stand in files; it is not started."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("key", "secret", "token"):
            self.write(name, f"first-{name}")
        self.write("url", "ws://127.0.0.1:1")
        self.settings = Settings.model_validate(
            {
                "livekit": {
                    "url_file": folder / "url",
                    "api_key_file": folder / "key",
                    "api_secret_file": folder / "secret",
                },
                "web": {"token_file": folder / "token"},
                "store": {"enabled": False},
            }
        )
        self.daemon = Daemon(self.settings, self.settings.server(), lambda: self.settings)

    def write(self, name: str, text: str) -> None:
        """Put another one there."""
        (self.folder / name).write_text(f"{text}\n")

    @property
    def used(self) -> tuple[str, str, str]:
        """Key, secret and token of the next run and the next request."""
        server = self.daemon.runner._server
        return server.api_key, server.api_secret, self.daemon.current.settings.web.write_token


@pytest.fixture(name="rotated")
def _rotated(tmp_path: Path) -> Rotated:
    return Rotated(tmp_path)


def test_a_rotated_file_is_used_without_a_reload(rotated: Rotated) -> None:
    """The next look at the files gives new keys to the next runs, and redacts the new secret."""
    assert rotated.daemon.credentials.record in rotated.daemon.listeners
    assert rotated.used == ("first-key", "first-secret", "first-token")
    rotated.write("key", "second-key")
    rotated.write("secret", "second-secret")
    rotated.write("token", "second-token")

    asyncio.run(rotated.daemon.credentials.refresh())

    assert rotated.used == ("second-key", "second-secret", "second-token")
    assert "second-secret" in rotated.daemon.runner._log_setup.secrets


def test_a_refused_run_reads_them_at_once(rotated: Rotated) -> None:
    """After auth_failed nobody waits for the next look at the files."""

    async def scenario() -> None:
        used = asyncio.Event()
        files = CredentialFiles(lambda: rotated.settings, lambda _: used.set())
        rotated.write("secret", "second-secret")
        watch = asyncio.create_task(files.watch())
        files.record(Outcome("agents", "", WHEN, 1, Reason.AUTH_FAILED, "401"))
        async with asyncio.timeout(LOOKED_AT_EVERY_S / 2):
            await used.wait()
        watch.cancel()

    asyncio.run(scenario())


@pytest.mark.parametrize("bad", ["", "two words"])
def test_what_cannot_be_used_changes_nothing(rotated: Rotated, bad: str) -> None:
    """1. A token is half written. 2. It is whole. Result: shown meanwhile, and used afterwards."""
    rotated.write("token", bad)
    asyncio.run(rotated.daemon.credentials.refresh())
    (note,) = notes(rotated.daemon)
    assert note.startswith("web.token_file: ")
    assert "two words" not in note
    assert rotated.used == ("first-key", "first-secret", "first-token")

    rotated.write("token", "second-token")
    asyncio.run(rotated.daemon.credentials.refresh())
    assert notes(rotated.daemon) == ()
    assert rotated.used[2] == "second-token"
