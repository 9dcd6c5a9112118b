"""Calls that someone asks for, as /probe does: what a refusal leaves behind."""

import asyncio

import pytest

from exporter.daemon.plan import call_work
from exporter.daemon.serve import Daemon
from exporter.metrics.common import SKIPS
from exporter.settings.settings import Settings
from exporter.web.sources import NotNowError

_NEVER = "0 0 31 2 *"
_SETTINGS = Settings.model_validate(
    {
        "server_name": "s",
        "livekit": {"url": "ws://127.0.0.1:1", "api_key": "k", "api_secret": "a" * 32},
        "store": {"enabled": False},
        "targets": [{"agent_name": "demo", "windows": [{"cron": _NEVER}]}],
    }
)


def test_refused_call_is_no_scheduled_run_that_was_skipped() -> None:
    """It was never due: a page that is asked too often is no call that is missing."""
    daemon = Daemon(_SETTINGS, _SETTINGS.server(), lambda: _SETTINGS)
    [target] = _SETTINGS.targets
    daemon._add(call_work(target), 3600)

    with pytest.raises(NotNowError, match="outside its time windows"):
        asyncio.run(daemon._call(target, lambda _: None))

    labels = {"server": "s", "probe": "latency", "agent_name": "demo"}
    values = [
        daemon.metrics.registry.get_sample_value(
            "voice_probe_skipped_total", {**labels, "reason": reason}
        )
        for reason in SKIPS
    ]
    assert values == [0] * len(SKIPS)
