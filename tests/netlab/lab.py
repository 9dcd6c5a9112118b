"""Open a laboratory, and set its link."""

import json
import select
import shutil
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

from tests.netlab.audio import AudioPacket
from tests.netlab.forwarder import CLIENT, SERVER
from tests.netlab.side import Side
from tests.netlab.way import Counts, Passage, Way

_ROOT = Path(__file__).parents[2]
_ANSWER_LIMIT_S = 10.0
_CAPABILITIES = {"CAP_NET_ADMIN": 12, "CAP_SYS_ADMIN": 21, "CAP_SYS_NICE": 23}
"""For devices, namespaces and real-time priority; root in a container may lack them."""


def what_is_missing() -> str:
    """Return why there can be no laboratory on this machine; "" if there can."""
    if sys.platform != "linux":
        return "the network laboratory needs Linux"
    lacking = [name for name, bit in _CAPABILITIES.items() if not _capabilities() >> bit & 1]
    if lacking:
        return f"the network laboratory needs root, or {', '.join(lacking)}"
    if not Path("/dev/net/tun").exists():
        return "the network laboratory needs /dev/net/tun"
    tools = [tool for tool in ("ip", "nsenter", "setpriv") if shutil.which(tool) is None]
    return f"the network laboratory needs on PATH: {', '.join(tools)}" if tools else ""


def _capabilities() -> int:
    """Return the effective capabilities of this process, a bit each."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return next(int(line.split()[1], 16) for line in status.splitlines() if "CapEff" in line)


@dataclass(frozen=True, slots=True)
class LinkCounts:
    """What the link has done in both directions."""

    up: Counts
    """Client to server."""
    down: Counts
    """Server to client."""
    messages_s: tuple[float, ...]
    """Round trips of data messages from the client to the server and back, by the link's clock."""
    cuts_s: tuple[tuple[float, float], ...]
    """When each cut began and ended, on the monotonic clock."""


@dataclass(frozen=True, slots=True)
class Passages:
    """The packets that passed since the link was last set, in their order."""

    up: tuple[Passage, ...]
    down: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Audio:
    """The media packets that passed since the link was last set, 20,000 each way at most."""

    up: tuple[AudioPacket, ...]
    down: tuple[AudioPacket, ...]


class Link:
    """The link between the two sides. Whatever is set holds for both until it is set again."""

    def __init__(self, orders: IO[str], answers: IO[str]) -> None:
        """Take the two ends of the talk with the forwarder."""
        self._orders = orders
        self._answers = answers
        self.up = Way()
        self.down = Way()

    def become(self, *, up: Way, down: Way) -> LinkCounts:
        """Set both directions, and return what the link did under the settings before."""
        told = self._order(up=asdict(up), down=asdict(down))
        self.up, self.down = up, down
        return told

    def set(
        self,
        *,
        rtt_ms: float = 0.0,
        jitter_up_ms: float = 0.0,
        jitter_down_ms: float = 0.0,
        loss_up: float = 0.0,
        loss_down: float = 0.0,
    ) -> LinkCounts:
        """Set everything; what is not named is as on a plain cable.

        Args:
            rtt_ms: Delay of both directions together, half of it each way.
            jitter_up_ms: Interarrival jitter (RFC 3550) of audio, client to server.
            jitter_down_ms: Server to client.
            loss_up: Share of packets lost, client to server.
            loss_down: Server to client.
        """
        return self.become(
            up=Way(rtt_ms / 2, jitter_up_ms, loss_up),
            down=Way(rtt_ms / 2, jitter_down_ms, loss_down),
        )

    def narrow(self, rate_kbps: float, rtt_ms: float = 0.0) -> LinkCounts:
        """Let so many thousand bits a second pass in each direction."""
        way = Way(rtt_ms / 2, rate_kbps=rate_kbps)
        return self.become(up=way, down=way)

    def block_udp(self, rtt_ms: float = 0.0) -> LinkCounts:
        """Throw UDP away in both directions; all else passes."""
        way = Way(rtt_ms / 2, blocks_udp=True)
        return self.become(up=way, down=way)

    def cut(self, seconds: float, *, after_s: float = 0.0) -> None:
        """Lose every packet of both directions for a while; returns at once.

        Args:
            seconds: For so long.
            after_s: Beginning so much later.
        """
        self._order(cut_for_s=seconds, cut_after_s=after_s)

    def counts(self) -> LinkCounts:
        """Return what the link has done since it was last set."""
        return self._order()

    def passages(self) -> Passages:
        """Return when the last packets passed, those of 10,000 in each direction at most."""
        up, down = (self._ask(passages=True)["passages"][way] for way in ("up", "down"))
        return Passages(*(tuple(Passage(*each) for each in told) for told in (up, down)))

    def audio(self) -> Audio:
        """Return the media packets that passed, with what their headers say."""
        told = self._ask(audio=True)["audio"]
        up, down = (tuple(_packet(*each) for each in told[way]) for way in ("up", "down"))
        return Audio(up, down)

    def _order(self, **order: Any) -> LinkCounts:
        told = self._ask(**order)
        return LinkCounts(
            Counts(**told["up"]),
            Counts(**told["down"]),
            tuple(told["messages_s"]),
            tuple((begin, end) for begin, end in told["cuts_s"]),
        )

    def _ask(self, **order: Any) -> dict[str, Any]:
        with suppress(BrokenPipeError):  # its missing answer says so, too
            self._orders.write(json.dumps(order) + "\n")
            self._orders.flush()
        return read_answer(self._answers)


def _packet(
    passed_s: float, stream: int, stamp: int, octets: int, extensions: list[list[int]]
) -> AudioPacket:
    pairs = tuple((number, value) for number, value in extensions)
    return AudioPacket(passed_s, stream, stamp, octets, pairs)


class NetLab:
    """Two network namespaces with a link between them, from `open` to `close`.

    Use it in a `with` block. Several can be open at once, all with the same addresses.
    """

    client: Side
    """Where the programs under test run."""
    server: Side
    """Where their server runs."""
    link: Link

    def __init__(self, *, limit_s: float = 900.0, seed: int | None = None) -> None:
        """Prepare a laboratory; nothing runs yet.

        Args:
            limit_s: The link ends after so many seconds, whatever happens.
            seed: Of losses and jitter; others each time if not given.
        """
        self._limit_s = limit_s
        self._seed = seed
        self._forwarder: subprocess.Popen[str] | None = None

    def open(self) -> None:
        """Make the namespaces and the link.

        Raises:
            RuntimeError: This machine cannot; see `what_is_missing` for what it needs.
        """
        if missing := what_is_missing():
            raise RuntimeError(missing)
        seed = () if self._seed is None else ("--seed", str(self._seed))
        forwarder = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "tests.netlab.forwarder",
                "--limit-s",
                f"{self._limit_s}",
                *seed,
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=_ROOT,
            process_group=0,  # a Ctrl-C at the terminal is for the test run
        )
        self._forwarder = forwarder
        assert forwarder.stdin is not None
        assert forwarder.stdout is not None
        try:
            spaces = read_answer(forwarder.stdout)
        except BaseException:
            self.close()
            raise
        folder = Path(f"/proc/{forwarder.pid}/fd")
        self.client = Side(CLIENT, folder / str(spaces["client"]))
        self.server = Side(SERVER, folder / str(spaces["server"]))
        self.link = Link(forwarder.stdin, forwarder.stdout)

    def close(self) -> None:
        """End the link; the namespaces go with the last program in them."""
        if self._forwarder is None:
            return
        self._forwarder.kill()
        self._forwarder.communicate()
        self._forwarder = None

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def read_answer(answers: IO[str]) -> dict[str, Any]:
    """Return the forwarder's next answer.

    Raises:
        RuntimeError: It has ended, or did not answer in time.
    """
    ready, _, _ = select.select([answers], [], [], _ANSWER_LIMIT_S)
    line = answers.readline() if ready else ""
    if not line:
        raise RuntimeError("the forwarder of the network laboratory has ended or hangs")
    answer: dict[str, Any] = json.loads(line)
    return answer
