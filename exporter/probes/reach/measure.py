"""Which ways to the SFU are open from here, each tried on purpose."""

import asyncio
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime
from urllib.parse import urlsplit

from livekit import rtc
from livekit.rtc._proto.room_pb2 import IceTransportType, SimulateScenarioKind

from exporter.errors import ProbeError
from exporter.limits import Limit
from exporter.outcome import Certificate, Outcome, Reason, SfuReach, Transport
from exporter.probe import Run
from exporter.probes.reach.spec import CLEANUP_S, ReachConfig
from exporter.rtc.client import Client, provoked
from exporter.rtc.pair import make_room
from exporter.rtc.signalling import Joined, join_and_leave
from exporter.rtc.stats import Candidate, Snapshot
from exporter.rtc.tasks import at_once
from exporter.server_api import Server, ServerApi, make_token
from exporter.server_api.errors import one_line
from exporter.server_api.server import trusting

_POLL_S = 0.1
_TLS_PORT = 443
_TURNS_PORT = 5349


async def measure_reach(config: ReachConfig, run: Run) -> Outcome:
    """Try signalling, then UDP, TCP and TURN at once; read certificate and clock."""
    result: SfuReach | None = None

    async def try_all() -> None:
        nonlocal result
        result = await _try_all(config, run)

    ended = await run.within_deadline(try_all(), CLEANUP_S)
    for each in result.transports if result else ():
        run.log(f"{each.name}: {'works' if each.works else each.detail}")
    return run.outcome("reach", result=result, ended=ended)


async def _try_all(config: ReachConfig, run: Run) -> SfuReach:
    server = run.server
    async with (
        ServerApi(server) as api,
        make_room(run, f"voice-exporter-{run.id}") as room,
    ):
        await api.list_rooms([room])
        await api.list_participants(room)
        token = make_token(server, identity=_identity(), room=room)
        joined = await join_and_leave(server, token, config.timeout)
        ways = Ways(server, room, config.timeout, joined)
        with provoked():
            transports = await at_once((ways.udp(), ways.tcp(), ways.turn()))
        return SfuReach(
            signal_s=joined.seconds,
            server_version=joined.server_version,
            transports=tuple(transports),
            certificates=await read_certificates(server, joined, config.timeout),
            clock_skew_s=api.clock_skew_s,
            region=joined.region,
            node_id=joined.node_id,
        )


class Ways:
    """The ways that media may take, tried by a participant each.

    Args:
        server: Where.
        room: For all of them.
        timeout_s: For each to connect, and again to settle.
        joined: What the server said by signalling.
        make_client: Makes a participant of this identity.
    """

    def __init__(
        self,
        server: Server,
        room: str,
        timeout_s: float,
        joined: Joined,
        make_client: Callable[[str], Client] = Client,
    ) -> None:
        self._make_client = make_client
        self._server = server
        self._room = room
        self._timeout_s = timeout_s
        self._turn_urls = [url for url in joined.ice_urls if url.startswith("turn")]

    async def udp(self) -> Transport:
        """Connect with every way open: ICE prefers UDP, where it gets through."""
        return await self._try("udp", self._wait_for_path)

    async def tcp(self) -> Transport:
        """Connect, then let the server restart the connection by TCP alone."""

        async def force(client: Client, transport: str) -> str:
            snapshot = await client.read()
            if snapshot.path is None or snapshot.path.transport != transport:
                await client.room.simulate_scenario(SimulateScenarioKind.SIMULATE_FORCE_TCP)
            return await self._wait_for_path(client, transport)

        return await self._try("tcp", force)

    async def turn(self) -> Transport:
        """Connect through a relay alone."""
        if not self._turn_urls:
            return Transport("turn", works=False, offered=(), detail="the server offers no TURN")
        relay = rtc.RtcConfiguration(ice_transport_type=IceTransportType.TRANSPORT_RELAY)
        tried = await self._try("turn", self._wait_for_path, relay)
        return Transport("turn", tried.works, tuple(self._turn_urls), tried.detail, tried.seconds)

    async def _try(
        self,
        transport: str,
        settle: Callable[[Client, str], Awaitable[str]],
        rtc_config: rtc.RtcConfiguration | None = None,
    ) -> Transport:
        """Connect and wait for the way; what keeps it from coming is its detail.

        Raises:
            ProbeError: What says nothing about this way: a refusal, or a fault of the prober.
        """
        client = self._make_client(_identity())
        began, seconds = time.monotonic(), None
        try:
            token = make_token(self._server, identity=client.identity, room=self._room)
            await client.connect(self._server.url, token, self._timeout_s, rtc_config=rtc_config)
            instead = await self._settled(settle(client, transport), began)
            seconds = None if instead else time.monotonic() - began
            if not instead:
                await self._stay(client, transport)
        except ProbeError as error:
            if error.reason.is_own_fault or error.reason is Reason.AUTH_FAILED:
                raise  # it says nothing about this way
            instead = error.detail
            if late := Limit.WAY.spoiled(instead, began, self._timeout_s):
                raise late from error
        except RuntimeError as error:
            instead = one_line(str(error))
        finally:
            await client.leave()
        offered = _addresses(client.snapshots, transport)
        return Transport(transport, not instead, offered, instead, seconds)

    async def _settled(self, settling: Awaitable[str], began: float) -> str:
        """Wait until the way is there; return what is there instead after all the time.

        Raises:
            ProbeError: void: the prober stood still for too much of the time since it began to
                connect, in which ICE chooses the way.
        """
        try:
            async with asyncio.timeout(self._timeout_s):
                instead = await settling
        except TimeoutError:
            instead = f"not connected within {self._timeout_s:g} s"
        if instead and (late := Limit.WAY.spoiled(instead, began, time.monotonic() - began)):
            raise late
        return instead

    async def _stay(self, client: Client, transport: str) -> None:
        """Do what there is to do once media can flow that way: nothing here."""

    async def _wait_for_path(self, client: Client, transport: str) -> str:
        """Wait until media goes that way; return what it does instead after all the time."""
        deadline = time.monotonic() + self._timeout_s / 2
        used = ""
        while time.monotonic() < deadline:
            with suppress(ProbeError):  # while it reconnects there are no statistics
                path = (await client.read()).path
                used = path.transport if path and path.answers else ""
                if used == transport:
                    return ""
            await asyncio.sleep(_POLL_S)
        return f"media uses {used.upper()}" if used else "no transport worked"


def _addresses(snapshots: Iterable[Snapshot], protocol: str) -> tuple[str, ...]:
    """Return where the server said that it takes media by that protocol."""
    found: set[Candidate] = {
        each for snapshot in snapshots for each in snapshot.offered if each.protocol == protocol
    }
    return tuple(sorted({f"{each.address}:{each.port}" for each in found if each.address}))


async def read_certificates(
    server: Server, joined: Joined, timeout_s: float
) -> tuple[Certificate, ...]:
    """Read the certificates of the server and of its TURN servers, where they have one."""
    places = tls_places(server.url, joined.ice_urls)
    reads = (
        read_certificate(host, port, timeout_s, ca_file=server.ca_file) for host, port in places
    )
    return tuple(await at_once(reads))


def tls_places(server_url: str, ice_urls: Iterable[str]) -> list[tuple[str, int]]:
    """Return host and port of each place that has a certificate, in order, each once.

    Args:
        server_url: Of the LiveKit server.
        ice_urls: `stun:`, `turn:` and `turns:` with host, perhaps port and `?transport=`.
    """
    parts = urlsplit(server_url)
    places = []
    if parts.scheme in ("wss", "https") and parts.hostname:
        places.append((parts.hostname, parts.port or _TLS_PORT))
    for url in ice_urls:
        scheme, _, rest = url.partition(":")
        relay = urlsplit(f"//{rest}")
        if scheme == "turns" and relay.hostname:
            places.append((relay.hostname, relay.port or _TURNS_PORT))
    return list(dict.fromkeys(places))


async def read_certificate(
    host: str, port: int, timeout_s: float, *, ca_file: str = ""
) -> Certificate:
    """Read when a certificate ends.

    Args:
        host: Whom it must name.
        port: Where TLS begins at once.
        timeout_s: For the connection.
        ca_file: Authorities that are trusted beside those of this host.

    Returns:
        One that cannot be read, or that this host does not trust, has a fault instead of an end.

    Raises:
        ProbeError: void: the prober stood still for too much of the time.
    """
    place, began = f"{host}:{port}", time.monotonic()
    try:
        async with asyncio.timeout(timeout_s):
            context = trusting(ca_file)
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            told = writer.get_extra_info("peercert")
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
    except ssl.SSLCertVerificationError as error:
        return Certificate(place, fault=one_line(error.verify_message))
    except OSError as error:  # TimeoutError is one
        fault = one_line(f"{type(error).__name__}: {error}")
        if isinstance(error, TimeoutError):
            late = Limit.CERTIFICATE.spoiled(f"{place}: {fault}", began, timeout_s)
            if late is not None:
                raise late from None
        return Certificate(place, fault=fault)
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(told["notAfter"]), UTC)
    return Certificate(place, expires_at=ends)


def _identity() -> str:
    return f"sfu-reach-{secrets.token_hex(4)}"
