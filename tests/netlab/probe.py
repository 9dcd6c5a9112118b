"""Run the project's own baseline at the near end of the link.

A namespace belongs to a process from its start, so the probe runs in one of its own; what it found
comes back as JSON. `python -m tests.netlab.probe` runs inside, and finds the server by LIVEKIT_URL,
LIVEKIT_API_KEY and LIVEKIT_API_SECRET. It takes a baseline for each line of settings that comes on
standard input, for the SDK takes seconds to import, and ends when that does.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import replace

from pydantic import TypeAdapter

from exporter.outcome import Outcome, SfuBaseline
from exporter.probe import Run
from exporter.probes.sfu.measure import measure_baseline
from exporter.probes.sfu.spec import SfuConfig
from exporter.server_api import Server
from tests import patience
from tests.netlab.inside import Inside
from tests.netlab.lab import NetLab

_OUTCOME = TypeAdapter(Outcome)
_RESULT = TypeAdapter(SfuBaseline)


class Probe(Inside):
    """The process at the near end, from its start to the end of a `with` block."""

    def __init__(self, lab: NetLab, server: Server) -> None:
        """Prepare it; nothing runs yet.

        Args:
            lab: An open laboratory, at whose far end the server runs.
            server: Where it is.
        """
        super().__init__(lab, server, "tests.netlab.probe")

    def outcome(self, **settings: object) -> Outcome:
        """Measure the server once.

        Args:
            settings: Of the probe, as `SfuConfig` has them.

        Raises:
            RuntimeError: The process has ended, or does not answer.
        """
        limit_s = SfuConfig.model_validate(settings).deadline + patience.START_S
        outcome = _OUTCOME.validate_json(self.ask(json.dumps(settings), limit_s))
        if outcome.result is None:
            return outcome
        return replace(outcome, result=_RESULT.validate_python(outcome.result))

    def baseline(self, **settings: object) -> SfuBaseline:
        """Do as `outcome` and return what was measured.

        Raises:
            RuntimeError: The probe failed.
        """
        outcome = self.outcome(**settings)
        if outcome.result is None:
            lines = "\n".join(outcome.log)
            raise RuntimeError(f"the probe failed: {outcome.reason}: {outcome.detail}\n{lines}")
        assert isinstance(outcome.result, SfuBaseline)
        return outcome.result


def probe_over(lab: NetLab, server: Server, **settings: object) -> Outcome:
    """Measure the server once from the client's side of the link, by a process for this only.

    Args:
        lab: An open laboratory, at whose far end the server runs.
        server: Where it is.
        settings: Of the probe, as `SfuConfig` has them.

    Raises:
        RuntimeError: The probe's process did not end as it should.
    """
    with Probe(lab, server) as probe:
        return probe.outcome(**settings)


def baseline_over(lab: NetLab, server: Server, **settings: object) -> SfuBaseline:
    """Do as `probe_over` and return what was measured.

    Raises:
        RuntimeError: The probe failed.
    """
    with Probe(lab, server) as probe:
        return probe.baseline(**settings)


def _main() -> None:
    server = Server(
        os.environ["LIVEKIT_URL"],
        os.environ["LIVEKIT_API_KEY"],
        os.environ["LIVEKIT_API_SECRET"],
    )
    for settings in sys.stdin:
        config = SfuConfig.model_validate_json(settings)
        run = Run(id="netlab", server=server, deadline=time.monotonic() + config.deadline)
        outcome = asyncio.run(measure_baseline(config, run))
        sys.stdout.write(_OUTCOME.dump_json(outcome).decode() + "\n")
        sys.stdout.flush()
    os._exit(0)  # the SDK (livekit 1.1.21) sometimes aborts when its library is unloaded


if __name__ == "__main__":
    _main()
