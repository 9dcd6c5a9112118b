"""What `attach` costs an agent: an event loop that has 1,000 turns a second, and its lateness.

`python -m bench.live_load agent URL SECONDS` prints one JSON object; without a URL ("") nothing is
attached. `python -m bench.live_load collector PORT STATUS DELAY` answers so until it is stopped.
"""

import asyncio
import json
import sys
import time
from dataclasses import asdict, dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import numpy as np
import psutil
from livekit.rtc import EventEmitter

from voice_exporter_agent import attach

TURNS_PER_S = 1000
STEP_S = 0.005
"""Between two looks at how late the loop is; each brings the turns that are due."""
_ASKED = {"stopped_speaking_at": 100.0, "end_of_turn_delay": 0.5, "transcription_delay": 0.2}
_SAID = {
    "e2e_latency": 1.2,
    "llm_node_ttft": 0.3,
    "llm_node_ttfs": 0.35,
    "tts_node_ttfb": 0.2,
    "started_speaking_at": 101.2,
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What was seen of one agent."""

    turns: int
    turn_us: float
    """Median time of the events of one turn, in microseconds."""
    lag_p50_ms: float
    lag_p95_ms: float
    lag_p99_ms: float
    growth_mb: float
    """Resident memory at the end over that after a quarter of the time."""
    cpu_share: float
    """Of one core."""


def turn(session: EventEmitter[str]) -> None:
    """Emit the events of one turn, as an `AgentSession` does."""
    for role, metrics in (("user", _ASKED), ("assistant", _SAID)):
        item = SimpleNamespace(role=role, metrics=metrics, interrupted=False)
        session.emit("conversation_item_added", SimpleNamespace(item=item, created_at=100.5))
    session.emit("agent_state_changed", SimpleNamespace(new_state="listening"))


async def agent(url: str, seconds: float) -> Cost:
    """Have turns for so long; attached to a collector if there is a URL."""
    session: EventEmitter[str] = EventEmitter()
    if url:
        attach(session, call_type="bench", agent_name="bench", collector=url)
    process, lags, spent = psutil.Process(), [], []
    began, cpu_s = time.perf_counter(), sum(process.cpu_times()[:2])
    memory = 0
    turns, quarter = 0, seconds / 4
    while (passed := time.perf_counter() - began) < seconds:
        due = time.perf_counter() + STEP_S
        await asyncio.sleep(STEP_S)
        at = time.perf_counter()
        lags.append(at - due)
        # What a late loop has missed is caught up, but not all at once.
        owed = min(round((at - began) * TURNS_PER_S) - turns, 2 * round(STEP_S * TURNS_PER_S))
        for _ in range(owed):
            turn(session)
        turns += owed
        if owed:
            spent.append((time.perf_counter() - at) / owed)
        if memory == 0 and passed > quarter:
            memory = process.memory_info().rss
    used_s = sum(process.cpu_times()[:2]) - cpu_s
    p50, p95, p99 = (float(np.percentile(lags, share)) * 1e3 for share in (50, 95, 99))
    grown = (process.memory_info().rss - memory) / 2**20
    share = used_s / (time.perf_counter() - began)
    return Cost(turns, float(np.median(spent)) * 1e6, p50, p95, p99, grown, share)


def collector(port: int, status: int, delay_s: float) -> None:
    """Answer every request with this status after so long, for ever."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(delay_s)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as inherited
            """Write nothing."""

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["agent", url, seconds]:
            print(json.dumps(asdict(asyncio.run(agent(url, float(seconds))))))
        case ["collector", port, status, delay]:
            collector(int(port), int(status), float(delay))
