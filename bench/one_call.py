"""Place one call to the demo's agent and keep its figures, for docs/pictures/one-call.svg.

Run as `python -m bench.one_call FILE`. The agent, its providers and the livekit-server are the
demo's, on this machine; the call is `voice-exporter latency`, and its JSON document is kept whole.
"""

import argparse
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench.stage import livekit_stage
from exporter.demo.settings import DemoSettings
from exporter.rtc.clip import load_clip
from exporter.rtc.levels import RATE
from exporter.server_api import Server
from tests.integration.workers import demo_agent

COMMAND = ("latency", "--agent", "demo", "--trials", "3", "--no-floor", "--json")
_LIMIT_S = 180.0


def measure() -> dict[str, Any]:
    """Return what one call found, and how long the caller spoke in each of its turns."""
    clip = load_clip(None)
    with livekit_stage(print) as stage, demo_agent(stage.server, stage.folder, DemoSettings()):
        document = _call(stage.server)
    document["server"] = "the demo's"  # its port says nothing
    return {
        "command": f"voice-exporter {' '.join(COMMAND)}",
        "measured_on": f"{datetime.now(UTC):%Y-%m-%d}",
        "cores": os.cpu_count(),
        "speech_s": (clip.speech_end - clip.speech_start) / RATE,
        "document": document,
    }


def _call(server: Server) -> dict[str, Any]:
    environ = os.environ | {
        "LIVEKIT_URL": server.url,
        "LIVEKIT_API_KEY": server.api_key,
        "LIVEKIT_API_SECRET": server.api_secret,
        # One clip in every turn: the picture has one length of speech.
        "VOICE_EXPORTER_DISCOVER__UTTERANCE__WAV": str(files("exporter.rtc") / "clips/caller.wav"),
    }
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *COMMAND],
        env=environ,
        stdout=subprocess.PIPE,
        timeout=_LIMIT_S,
        check=False,  # SLOW is a verdict, no error
    )
    document: dict[str, Any] = json.loads(done.stdout)
    return document


def main() -> int:
    """Measure and write the file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    file = parser.parse_args().file
    file.write_text(json.dumps(measure(), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
