"""Whether the laboratory tells the truth: plain sockets over its link, no LiveKit.

The machine may be busy: what the sockets saw is compared with what the link says that it did.
"""

import itertools
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
from tests.netlab.flow import send_flow
from tests.netlab.jitter import interarrival_ms
from tests.netlab.lab import NetLab
from tests.netlab.truth import agree, on_time
from tests.netlab.way import Way
from tests.netlab.witness import Witness
from tests.patience import until

pytestmark = pytest.mark.integration


def test_delay_is_what_was_set(lab: NetLab, witness: Witness) -> None:
    """Each packet takes what was set, each way: to 1 ms on a machine that is on time.

    However late the machine is, none is early, and the link knows how long it took with each.
    """
    for rtt_ms in (0, 20, 80, 200):
        lab.link.set(rtt_ms=rtt_ms)
        witness.since()
        up = send_flow(lab.client, lab.server, 300)
        down = send_flow(lab.server, lab.client, 300)
        machine = witness.since()
        passages = lab.link.passages()
        for flow, passed in ((up, passages.up), (down, passages.down)):
            assert flow.loss == 0
            on_time(agree(flow, passed, rtt_ms / 2e3), rtt_ms / 2e3, machine)


def test_each_direction_is_set_on_its_own(lab: NetLab, witness: Witness) -> None:
    """Up is slow and loses, down does neither."""
    lab.link.become(up=Way(delay_ms=30, loss=0.2), down=Way(delay_ms=5))
    up = send_flow(lab.client, lab.server, 300)
    down = send_flow(lab.server, lab.client, 300)
    machine = witness.since()
    passages = lab.link.passages()
    on_time(agree(up, passages.up, 0.030), 0.030, machine)
    on_time(agree(down, passages.down, 0.005), 0.005, machine)
    assert up.loss > 0.1
    assert down.loss == 0


def test_jitter_is_what_was_set(lab: NetLab) -> None:
    """Packets 20 ms apart arrive in order, with the jitter that the link gave them: some 20 ms.

    That its arithmetic makes the jitter that was set is held in test_way, with more packets.
    """
    jitter_ms = 20
    lab.link.set(jitter_down_ms=jitter_ms)
    flow = send_flow(lab.server, lab.client, 100, per_second=50)
    passages = lab.link.passages().down
    agree(flow, passages, 0.0)
    entered = [each.entered_s for each in passages]
    given_ms = interarrival_ms(entered, [each.due_s for each in passages])
    found_ms = interarrival_ms(entered, list(flow.received_s.values()))
    late_ms = float(np.mean([each.written_s - each.due_s for each in passages])) * 1e3
    assert found_ms == pytest.approx(given_ms, abs=0.2 + 2 * late_ms)
    assert given_ms == pytest.approx(jitter_ms, rel=0.6)  # two seconds hold some 80 openings


def test_loss_is_what_was_set_and_is_counted(lab: NetLab) -> None:
    """The share lost is within five standard deviations of what was set, and the count is exact."""
    loss, packets = 0.05, 2000
    lab.link.set(loss_up=loss)
    flow = send_flow(lab.client, lab.server, packets, per_second=2000)
    bound = 5 * math.sqrt(loss * (1 - loss) / packets)
    assert flow.loss == pytest.approx(loss, abs=bound)
    counts = lab.link.counts()
    assert counts.up.packets == packets
    assert packets - len(flow.received_s) == counts.up.lost
    assert counts.down.packets == counts.down.lost == 0


def test_blocked_udp_leaves_tcp(lab: NetLab) -> None:
    """No UDP packet passes, a TCP connection does."""
    lab.link.block_udp(rtt_ms=20)
    up = send_flow(lab.client, lab.server, 20)
    down = send_flow(lab.server, lab.client, 20)
    assert up.loss == down.loss == 1
    with lab.server.make_socket(socket.SOCK_STREAM) as listener:
        listener.bind((lab.server.address, 0))
        listener.listen()
        begin = time.monotonic()
        with lab.client.connect(listener.getsockname(), timeout_s=5) as connection:
            assert time.monotonic() - begin >= 0.02
            assert connection.getpeername() == listener.getsockname()
    assert lab.link.counts().up.blocked == 20


def test_a_cut_lasts_as_long_as_was_said(lab: NetLab, witness: Witness) -> None:
    """Every packet of half a second is lost, none before it and none after it."""
    lab.link.cut(0.5, after_s=0.2)
    flow = send_flow(lab.client, lab.server, 1000)
    machine = witness.since()
    counts, passages = lab.link.counts(), lab.link.passages().up
    agree(flow, passages, 0.0)
    ((begin_s, end_s),) = counts.cuts_s
    assert 0.5 <= end_s - begin_s <= 0.5 + 0.02 + machine.worst_ms / 1e3
    assert not any(begin_s < each.entered_s < end_s for each in passages)
    assert counts.up.cut == len(flow.sent_s) - len(flow.received_s) > 0
    mended = [number for number, sent_s in enumerate(flow.sent_s) if sent_s >= end_s]
    assert mended
    assert set(mended) <= set(flow.received_s)
    last = max(each.written_s for each in passages if each.entered_s <= begin_s)
    silence_s = max(late - early for early, late in itertools.pairwise(flow.received_s.values()))
    assert silence_s >= end_s - last - 2 * flow.clock_s


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
    """A laboratory that someone forgot does not live for ever, and not shorter than it was told."""
    began = time.monotonic()
    with NetLab(limit_s=1.0) as short:

        def has_ended() -> bool:
            try:
                short.link.counts()
            except RuntimeError as error:
                return "has ended" in str(error)
            return False

        until(has_ended, patience.END_S)
    assert time.monotonic() - began >= 1.0
