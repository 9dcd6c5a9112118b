"""The application on a socket, with a kept call and its sound behind it."""

import re
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
import soundfile
import uvicorn
from starlette.responses import FileResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.evidence.kept import KeptCall
from exporter.evidence.sound import SOUND_TYPE
from exporter.store.records import RunRecord
from tests.patience import until
from tests.unit.web.test_run_page import site

_RATE = 48_000
_SOUND = re.compile(r"/api/v1/runs/\w+/sound")


def make_sound(call: KeptCall, file: Path) -> Path:
    """Write the sound of a call: a tone of each side where its envelope is loud."""
    times = np.arange(int(call.length_s * _RATE)) / _RATE
    steps = np.minimum((times / call.envelope.step_s).astype(int), len(call.envelope.caller) - 1)
    sides = [
        np.array(envelope)[steps] * np.sin(2 * np.pi * hertz * times)
        for envelope, hertz in ((call.envelope.caller, 330), (call.envelope.agent, 220))
    ]
    soundfile.write(file, np.stack(sides, axis=1), _RATE, format="FLAC")
    return file


@dataclass
class Running:
    """A server of one kept call."""

    call: KeptCall
    sound: Path
    _server: uvicorn.Server = field(init=False)
    _thread: threading.Thread = field(init=False)
    url: str = field(init=False)

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = self._with_sound(site(RunRecord.of(self.call.outcome), kept=self.call).app)
        config = uvicorn.Config(app, log_level="error", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([listener],))
        self._thread.start()
        until(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)

    def _with_sound(self, app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            if _SOUND.fullmatch(scope["path"]):
                await FileResponse(self.sound, media_type=SOUND_TYPE)(scope, receive, send)
            else:
                await app(scope, receive, send)

        return answer
