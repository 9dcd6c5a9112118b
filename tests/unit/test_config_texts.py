"""Texts of the configuration: what is a name, and what is no part of a credential."""

import json
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest
from pydantic import ValidationError

from exporter.probes.latency.spec import LatencyConfig
from exporter.roster.wire import Heartbeat
from exporter.settings.discover import DiscoverConfig
from exporter.settings.load import load_settings


def test_white_space_around_credentials_is_no_part_of_them(tmp_path: Path) -> None:
    """A variable that was filled from a file has its line break, and a signature would be wrong."""
    file = tmp_path / "voice-exporter.yaml"
    file.write_text("livekit: {api_key: '${KEY}'}")
    environ = {
        "LIVEKIT_URL": "ws://a:7880\n",
        "LIVEKIT_API_SECRET": " secret\r\n",
        "KEY": "key\n",
        "VOICE_EXPORTER_WEB__TOKEN": "token\n",
        "VOICE_EXPORTER_TOKEN": "theirs\n",
        "VOICE_EXPORTER_COLLECTOR_URL": "http://exporter:9465\n",
        "VOICE_EXPORTER_DISTRIBUTED__TOKEN": "ours\t",
    }
    settings = load_settings(file, {}, environ)
    server = settings.server()
    assert (server.url, server.api_key, server.api_secret) == ("ws://a:7880", "key", "secret")
    assert settings.web.write_token == "token"  # noqa: S105 - made up
    assert settings.collector.bearer == "theirs"
    assert settings.collector.url == "http://exporter:9465"
    assert settings.distributed.shared_token == "ours"  # noqa: S105 - made up


@pytest.mark.parametrize(
    ("name", "refused"),
    [
        ("sales desk", None),
        ("فروش\N{ZERO WIDTH NON-JOINER}ها", None),  # noqa: RUF001 - Persian
        ("क्\N{ZERO WIDTH JOINER}ष", None),
        ("front\N{NO-BREAK SPACE}desk", None),
        ("eu/sales", None),
        ("a\nb", ValidationError),
        ("a\x1b[2J", ValidationError),
        ("a\N{RIGHT-TO-LEFT OVERRIDE}b", ValidationError),
        ("a\N{LINE SEPARATOR}b", ValidationError),
    ],
)
def test_a_name_is_one_everywhere(name: str, refused: type[ValidationError] | None) -> None:
    """What a worker may report under, a target may be called by; what may not, neither."""
    heartbeat = json.dumps({"agent_name": name, "status": "idle"})
    makes: tuple[Callable[[], object], ...] = (
        lambda: Heartbeat.model_validate_json(heartbeat),
        lambda: LatencyConfig(agent_name=name),
        lambda: LatencyConfig(agent_name="demo", call_type=name),
        lambda: LatencyConfig(agent_name="demo", scenario=name),
        lambda: DiscoverConfig(call_type=name),
    )
    for make in makes:
        with pytest.raises(refused) if refused else nullcontext():
            make()
