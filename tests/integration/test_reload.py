"""A configuration that changes under a running exporter."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.integration.exporters import Exporter, Start, exporters, value
from tests.patience import until

ATTEMPTS = 'voice_probe_attempts_total{{agent_name="{}",probe="latency"'
RELOADED = "voice_exporter_config_last_reload_successful"


class Configured:
    """An exporter and its configuration file; the server it watches is not there."""

    def __init__(self, start: Start, folder: Path) -> None:
        self.file = folder / "exporter.yaml"
        self.write("kept", "dropped")
        self.exporter: Exporter = start("exporter", "serve", "--config", str(self.file))
        until(lambda: self.exporter.get("/-/ready").status_code == 200)

    def write(self, *agents: str, **more: object) -> None:
        """Write the file, with these agents as targets."""
        config = {
            "livekit": {"url": "ws://127.0.0.1:1", "api_key": "key", "api_secret": "very-secret"},
            "web": {"listen_address": "127.0.0.1:0"},
            "targets": [{"agent_name": agent} for agent in agents],
        }
        self.file.write_text(yaml.safe_dump(config | more))

    def reload(self) -> None:
        """Send SIGHUP."""
        self.exporter.process.send_signal(signal.SIGHUP)

    def page(self) -> str:
        """Return /metrics."""
        return self.exporter.get("/metrics").text

    def said(self, text: str) -> int:
        """Count the lines of the log that hold this."""
        return sum(text in line for line in self.exporter.text().splitlines())


@pytest.fixture(scope="module", name="running")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Configured]:
    folder = tmp_path_factory.mktemp("reload")
    with exporters(folder) as start:
        yield Configured(start, folder)


@pytest.fixture(name="configured")
def _configured(running: Configured) -> Configured:
    """The exporter that all tests of this file share, with its first targets."""
    running.write("kept", "dropped")
    running.reload()
    until(lambda: all(ATTEMPTS.format(name) in running.page() for name in ("kept", "dropped")))
    until(lambda: 'agent_name="new"' not in running.page())
    return running


def test_targets_come_and_go(configured: Configured) -> None:
    """1. A target goes, one comes, one stays. Result: so do their series; counters stay."""
    until(lambda: value(configured.page(), ATTEMPTS.format("kept")) == 1)

    configured.write("kept", "new")
    configured.reload()
    until(lambda: ATTEMPTS.format("new") in configured.page())

    page = configured.page()
    assert 'agent_name="dropped"' not in page
    assert value(page, ATTEMPTS.format("kept")) == 1
    assert value(page, RELOADED) == 1
    assert "dropped" not in configured.exporter.get("/").text
    until(lambda: value(configured.page(), ATTEMPTS.format("new")) == 1)
    assert configured.exporter.process.poll() is None


BAD_FILES = {
    "targets: [{agent_name: kept, trails: 3}]\n": "targets[0].trails: unknown key",
    "targets: [": "exporter.yaml",
    "livekit: {url: 'ws://127.0.0.1:1'}\n": "livekit.api_secret: is missing",
}
"""An unknown key, no YAML, no credentials; and what the log says of each."""


def test_bad_file_changes_nothing(configured: Configured) -> None:
    """1. Bad files. 2. A good one. Result: said and counted; the old one stays until then."""
    for content, expected in BAD_FILES.items():
        before = len(configured.exporter.text())
        configured.file.write_text(content)
        configured.reload()

        def news(before: int = before) -> str:
            return configured.exporter.text()[before:]

        until(lambda: expected in news())  # noqa: B023 - called at once
        until(lambda: value(configured.page(), RELOADED) == 0)
        assert "reload failed" in news()
        assert ATTEMPTS.format("dropped") in configured.page()
        assert configured.exporter.get("/-/healthy").status_code == 200

    configured.write("kept")
    configured.reload()
    until(lambda: value(configured.page(), RELOADED) == 1)
    assert 'agent_name="dropped"' not in configured.page()


def test_what_needs_a_restart_is_named(configured: Configured) -> None:
    """An address cannot change while running: the rest is followed, and the key is named."""
    configured.write("new", web={"listen_address": "127.0.0.1:1"}, pool={"recycle_after": 3})
    configured.reload()
    until(lambda: ATTEMPTS.format("new") in configured.page())

    for key in ("web.listen_address", "pool.recycle_after"):
        assert configured.said(f'msg="setting takes effect after a restart" key={key}') == 1
