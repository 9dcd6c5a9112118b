"""Whether the laboratory tells the truth: plain sockets over its link, no LiveKit."""

import math
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from tests import patience
from tests.netlab.flow import Flow, send_flow
from tests.netlab.jitter import interarrival_ms
from tests.netlab.lab import NetLab
from tests.netlab.way import Way
from tests.patience import until

pytestmark = [pytest.mark.integration, pytest.mark.whole_machine]


def both_ways(lab: NetLab, packets: int) -> tuple[Flow, Flow]:
    """Send packets up, then down."""
    return (
        send_flow(lab.client, lab.server, packets),
        send_flow(lab.server, lab.client, packets),
    )


@pytest.mark.parametrize("rtt_ms", [0, 20, 80, 200])
def test_delay_is_what_was_set(lab: NetLab, rtt_ms: float) -> None:
    """1,000 packets a second: the median is within 1 ms of what was set, each way and both."""
    lab.link.set(rtt_ms=rtt_ms)
    up, down = both_ways(lab, 1000)
    for flow in (up, down):
        assert flow.loss == 0
        assert list(flow.received_s) == sorted(flow.received_s)
        assert min(flow.transit_ms) >= rtt_ms / 2 - 0.25
        assert np.median(flow.transit_ms) == pytest.approx(rtt_ms / 2, abs=1)
    assert np.median(up.transit_ms) + np.median(down.transit_ms) == pytest.approx(rtt_ms, abs=1)


def test_each_direction_is_set_on_its_own(lab: NetLab) -> None:
    """Up is slow and loses, down does neither."""
    lab.link.become(up=Way(delay_ms=30, loss=0.2), down=Way(delay_ms=5))
    up, down = both_ways(lab, 500)
    assert np.median(up.transit_ms) == pytest.approx(30, abs=1)
    assert np.median(down.transit_ms) == pytest.approx(5, abs=1)
    assert up.loss > 0.1
    assert down.loss == 0


def test_jitter_is_what_was_set(lab: NetLab) -> None:
    """Packets 20 ms apart arrive in order, with about the interarrival jitter that was set."""
    jitter_ms = 20
    lab.link.set(jitter_down_ms=jitter_ms)
    flow = send_flow(lab.server, lab.client, 250, per_second=50)
    sent = [flow.sent_s[number] for number in flow.received_s]
    assert list(flow.received_s) == sorted(flow.received_s)
    assert interarrival_ms(sent, list(flow.received_s.values())) == pytest.approx(
        jitter_ms,
        rel=0.4,  # five seconds hold some 200 openings of the link
    )


def test_loss_is_what_was_set_and_is_counted(lab: NetLab) -> None:
    """The share lost is within five standard deviations of what was set, and the count is exact."""
    loss, packets = 0.05, 3000
    lab.link.set(loss_up=loss)
    flow = send_flow(lab.client, lab.server, packets)
    bound = 5 * math.sqrt(loss * (1 - loss) / packets)
    assert flow.loss == pytest.approx(loss, abs=bound)
    counts = lab.link.counts()
    assert counts.up.packets == packets
    assert packets - len(flow.received_s) == counts.up.lost
    assert counts.down.packets == counts.down.lost == 0


def test_blocked_udp_leaves_tcp(lab: NetLab) -> None:
    """No UDP packet passes, a TCP connection does."""
    lab.link.block_udp(rtt_ms=20)
    up, down = both_ways(lab, 20)
    assert up.loss == down.loss == 1
    with lab.server.make_socket(socket.SOCK_STREAM) as listener:
        listener.bind((lab.server.address, 0))
        listener.listen()
        begin = time.monotonic()
        with lab.client.connect(listener.getsockname(), timeout_s=5) as connection:
            assert time.monotonic() - begin >= 0.02
            assert connection.getpeername() == listener.getsockname()
    assert lab.link.counts().up.blocked == 20


def test_a_cut_lasts_as_long_as_was_said(lab: NetLab) -> None:
    """Between the last packet before a cut of 0.5 s and the first after it lie 0.5 s."""
    lab.link.cut(0.5, after_s=0.3)
    flow = send_flow(lab.client, lab.server, 1200)
    arrivals = list(flow.received_s.values())
    assert max(np.diff(arrivals)) == pytest.approx(0.5, abs=0.02)
    assert flow.loss == pytest.approx(500 / 1200, abs=0.02)


def test_the_sides_see_nothing_but_each_other(lab: NetLab) -> None:
    """Neither side has another device, and several laboratories do not meet."""
    told = lab.client.run(["ip", "-oneline", "link"]).stdout
    assert len(told.splitlines()) == 2  # the loopback device and the link
    with NetLab(limit_s=60) as other:
        lab.link.set(loss_up=1.0)
        assert send_flow(other.client, other.server, 10).loss == 0
        assert send_flow(lab.client, lab.server, 10).loss == 1


@pytest.mark.usefixtures("laboratory_possible")
def test_a_killed_run_leaves_nothing_behind(tmp_path: Path) -> None:
    """When the process that opened a laboratory is killed, its link and its programs end."""
    script = tmp_path / "open.py"
    script.write_text(
        "import subprocess, sys, time\n"
        "from tests.netlab.lab import NetLab\n"
        "with NetLab() as lab:\n"
        "    inside = subprocess.Popen([*lab.server.entrance, 'sh', '-c', 'echo up; exec '\n"
        "        'sleep 300'], stdout=subprocess.PIPE)\n"
        "    inside.stdout.readline()  # what binds its life to ours is in place\n"
        "    print(lab._forwarder.pid, inside.pid, flush=True)\n"
        "    time.sleep(300)\n",
        encoding="utf-8",
    )
    root = Path(__file__).parents[2]
    opener = subprocess.Popen(
        [sys.executable, str(script)],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": str(root), "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
    )
    assert opener.stdout is not None
    pids = [int(pid) for pid in opener.stdout.readline().split()]
    assert len(pids) == 2
    opener.kill()
    opener.communicate()
    deadline = time.monotonic() + 10
    while left := [pid for pid in pids if runs(pid)]:
        assert time.monotonic() < deadline, f"still running: {left}"
        time.sleep(0.05)


def runs(pid: int) -> bool:
    """Return whether a process runs; one that only waits to be collected does not."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


@pytest.mark.usefixtures("laboratory_possible")
def test_the_link_ends_at_its_limit() -> None:
    """A laboratory that someone forgot does not live for ever."""
    with NetLab(limit_s=5.0) as short:  # long enough to be set up on a slow machine

        def has_ended() -> bool:
            try:
                short.link.counts()
            except RuntimeError as error:
                return "has ended" in str(error)
            return False

        send_flow(short.client, short.server, 10)
        until(has_ended, patience.END_S)
