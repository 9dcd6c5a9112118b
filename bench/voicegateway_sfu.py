"""Let voicegateway measure an SFU over the laboratory's link, to put its words beside ours.

Read in its source, 0.27.0: each of two clients sends one reliable message and waits for the other's
answer, which crosses the network twice, and its figure is the mean of these two; its loss is a
constant, 0.0.
"""

import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench import environments
from exporter.server_api import Server
from tests.netlab.lab import NetLab

_LINE = re.compile(r"baseline: rtt (?P<rtt>[\d.]+)ms \. loss (?P<loss>[\d.]+)% \. (?P<word>\w+)")
_LIMIT_S = 120.0


@dataclass(frozen=True, slots=True)
class Words:
    """What it prints of one baseline."""

    rtt_ms: float | None = None
    loss_pct: float | None = None
    quality: str = ""
    """Its word for the connection."""
    error: str = ""
    """Why there is nothing else."""


def ask(python: Path, lab: NetLab, server: Server) -> Words:
    """Run `voicegw livekit sfu` at the near end of the link and return what it says.

    Args:
        python: From `voicegateway.install`.
        lab: An open laboratory, at whose far end the server runs.
        server: Where it is.
    """
    with tempfile.TemporaryDirectory(prefix="voicegateway-") as home:
        try:
            done = lab.client.run(
                [python.with_name("voicegw"), "livekit", "sfu"],
                environ=environments.variables(server, Path(home)),
                limit_s=_LIMIT_S,
            )
        except subprocess.TimeoutExpired:
            return Words(error=f"did not end within {_LIMIT_S:g} s")
    found = _LINE.search(done.stdout)
    if found is None:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        return Words(error=last)
    return Words(float(found["rtt"]), float(found["loss"]), found["word"])
