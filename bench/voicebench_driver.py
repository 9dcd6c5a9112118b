"""Run the command of voicebench unchanged, and write down how far each of its sessions came.

Runs inside voicebench's own environment, where this project is not installed. The report has what
it measured; why it measured that is known only on the way: when its session was at which stage by
the session's own clock, and how late each frame of the caller left.

Usage: voicebench_driver.py STAGES_FILE [arguments of voicebench]
"""

import importlib
import json
import sys
import time
from pathlib import Path
from typing import Any

_MARK_EVERY_S = 0.2
"""So often a line says how far a session is: what is killed has no last word."""


class Stages:
    """Writes a line for each stage of a session.

    Args:
        file: Takes the lines.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._began_s = 0.0
        self._frames = 0
        self._marked_s = 0.0

    def write(self, stage: str, **figures: float) -> None:
        """Add a line."""
        line = json.dumps({"stage": stage, "at_s": time.monotonic() - self._began_s, **figures})
        with self._file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")

    def began(self) -> None:
        """Note that the session's clock has begun, with the connection still to be made."""
        self._began_s, self._frames, self._marked_s = time.monotonic(), 0, 0.0
        self.write("joining")

    def sent(self, frame_s: float, queued_s: float) -> None:
        """Note that a frame is sent: by the script it leaves after as many frames before it.

        Args:
            frame_s: Its length.
            queued_s: Audio that waits before it in the source.
        """
        by_script_s = self._frames * frame_s
        self._frames += 1
        now_s = time.monotonic() - self._began_s
        if self._frames > 1 and now_s < self._marked_s + _MARK_EVERY_S:
            return
        self._marked_s = now_s
        late_s = now_s + queued_s - by_script_s
        self.write("speaking", script_s=by_script_s, queued_s=queued_s, late_s=late_s)


def watch(adapter: Any, stages: Stages) -> None:
    """Let the LiveKit adapter write its stages."""
    connect, send_audio, close = adapter.connect, adapter.send_audio, adapter.close

    async def watched_connect(self: Any) -> None:
        stages.began()
        await connect(self)
        stages.write("joined")

    async def watched_send(self: Any, pcm: Any) -> None:
        session = self.session
        stages.sent(session.frame_ms / 1e3, self._source.queued_duration)
        await send_audio(self, pcm)

    async def watched_close(self: Any) -> None:
        stages.write("leaving")
        await close(self)
        stages.write("left")

    adapter.connect, adapter.send_audio = watched_connect, watched_send
    adapter.close = watched_close


def main(stages_file: Path, arguments: list[str]) -> None:
    """Run `voicebench` with these arguments; exits as it does."""
    adapter = importlib.import_module("voicebench.adapters.livekit").LiveKitAdapter
    watch(adapter, Stages(stages_file))
    sys.argv = ["voicebench", *arguments]
    sys.exit(importlib.import_module("voicebench.cli").main())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
