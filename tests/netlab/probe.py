"""Run the project's own baseline at the near end of the link.

A namespace belongs to a process from its start, so the probe runs in one of its own; what it found
comes back as JSON. `python -m tests.netlab.probe SETTINGS` runs inside, and finds the server by
LIVEKIT_URL, LIVEKIT_API_KEY and LIVEKIT_API_SECRET.
"""

import asyncio
import json
import os
import sys
import time

from pydantic import TypeAdapter

from exporter.outcome import Outcome, SfuBaseline
from exporter.probe import Run
from exporter.probes.sfu.spec import SfuConfig
from exporter.server_api import Server
from exporter.sfu.baseline import measure_baseline
from tests import patience
from tests.netlab.lab import NetLab
from tests.netlab.livekit import credentials

_OUTCOME = TypeAdapter(Outcome)


def probe_over(lab: NetLab, server: Server, **settings: object) -> Outcome:
    """Measure the server once from the client's side of the link.

    Args:
        lab: An open laboratory, at whose far end the server runs.
        server: Where it is.
        settings: Of the probe, as `SfuConfig` has them.

    Raises:
        RuntimeError: The probe's process did not end as it should.
    """
    config = SfuConfig.model_validate(settings)
    done = lab.client.run(
        [sys.executable, "-m", "tests.netlab.probe", json.dumps(settings)],
        environ=os.environ | credentials(server),
        limit_s=config.deadline + patience.START_S,
    )
    if done.returncode:
        raise RuntimeError(f"the probe ended with status {done.returncode}:\n{done.stderr}")
    return _OUTCOME.validate_json(done.stdout.splitlines()[-1])


def baseline_over(lab: NetLab, server: Server, **settings: object) -> SfuBaseline:
    """Do as `probe_over` and return what was measured.

    Raises:
        RuntimeError: The probe failed.
    """
    outcome = probe_over(lab, server, **settings)
    if outcome.result is None:
        lines = "\n".join(outcome.log)
        raise RuntimeError(f"the probe failed: {outcome.reason}: {outcome.detail}\n{lines}")
    assert isinstance(outcome.result, SfuBaseline)
    return outcome.result


def _main(settings: str) -> None:
    server = Server(
        os.environ["LIVEKIT_URL"],
        os.environ["LIVEKIT_API_KEY"],
        os.environ["LIVEKIT_API_SECRET"],
    )
    config = SfuConfig.model_validate_json(settings)
    run = Run(id="netlab", server=server, deadline=time.monotonic() + config.deadline)
    outcome = asyncio.run(measure_baseline(config, run))
    sys.stdout.write(_OUTCOME.dump_json(outcome).decode() + "\n")
    sys.stdout.flush()
    os._exit(0)  # the SDK (livekit 1.1.21) sometimes aborts when its library is unloaded


if __name__ == "__main__":
    _main(sys.argv[1])
