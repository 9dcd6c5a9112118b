"""One round over the checklist: each check within a limit of its own, and one room for all."""

import asyncio
import secrets
import time
from collections.abc import Awaitable
from statistics import median
from urllib.parse import urlsplit

from exporter.errors import ProbeError, first_probe_error
from exporter.outcome import Outcome, Reason, Transport, Verdict, worst
from exporter.probe import ROOM_PREFIX, Run
from exporter.probes.latency.way_in.fetch import fetch_token
from exporter.probes.preflight import verdicts
from exporter.probes.preflight.spec import (
    CHECKS,
    CLEANUP_S,
    Checked,
    Checklist,
    PreflightConfig,
)
from exporter.probes.preflight.ways import TimedWays
from exporter.probes.preflight.webhook import Awaits, awaiting
from exporter.probes.reach.measure import read_certificates
from exporter.rtc.client import provoked
from exporter.rtc.pair import connected_pair, make_room
from exporter.rtc.signalling import Joined, join_and_leave, may_publish
from exporter.server_api import ServerApi, make_token
from exporter.server_api.errors import one_line

_SIGNALS = 3
"""Joins, one after the other."""
_BANDWIDTH_S = 3.0
_EXPIRED_S = -3600.0
_BETWEEN = ("round_trip_udp", "round_trip_tcp", "round_trip_turn")
_MEDIA = ("udp_ports", "tcp", "turn_udp", "turn_tls", *_BETWEEN)
_ENDPOINT_ADVICE = {
    Verdict.FAIL: "callers cannot get in: mend the endpoint",
    Verdict.UNKNOWN: "mend headers_file of the target",
    Verdict.SLOW: "give callers only what they need: roomJoin, one room, some hours",
}
_LEAST_S = 10.0
"""A webhook is waited for, and bandwidth counted, for some seconds however short the limit."""


async def measure_preflight(config: PreflightConfig, run: Run) -> Outcome:
    """Go through the checklist; what could not be checked says why."""
    work = Preflight(config, run)
    ended = await run.within_deadline(work.take(), CLEANUP_S)
    why = ended.detail if ended else "not tried"
    return run.outcome("preflight", result=work.checklist(why))


class Preflight:
    """One round."""

    def __init__(self, config: PreflightConfig, run: Run) -> None:
        self._config = config
        self._run = run
        self._room = f"{ROOM_PREFIX}{run.id}"
        self._found: dict[str, Checked] = {}
        self._offered: tuple[str, ...] = ()

    def checklist(self, why: str) -> Checklist:
        """Return every check in its order; UNKNOWN what was not done."""
        wanted = [each for each in CHECKS if each not in self._config.skip]
        if not self._config.endpoints and "token_endpoint" in wanted:
            wanted.remove("token_endpoint")
        missing = verdicts.untried(wanted, why)
        return Checklist(tuple(self._found.get(each, missing[each]) for each in wanted))

    async def take(self) -> None:
        """Do all checks; `checklist` has what was found, also where this ends early.

        Raises:
            ProbeError: The server cannot be reached, or refuses the key.
        """
        server, config = self._run.server, self._config
        self._note(verdicts.judge_secret(server.api_key, server.api_secret))
        async with (
            ServerApi(server) as api,
            awaiting(server, config.webhook_listen, config.collector) as webhooks,
        ):
            try:
                await api.list_rooms([self._room])
            except ProbeError as error:
                self._refused(error, api)
                raise
            async with make_room(self._run, self._room):
                made = time.monotonic()
                await self._check_all(api, webhooks, made)

    def _refused(self, error: ProbeError, api: ServerApi) -> None:
        """Note what the first refusal tells: no more can be known."""
        if error.reason.is_own_fault:
            self._note(Checked("signal", Verdict.UNKNOWN, error.detail))
            return
        if error.reason is not Reason.AUTH_FAILED:
            todo = "check the URL, DNS, the server's port and what stands before it"
            self._note(Checked("signal", Verdict.FAIL, error.detail, 1, todo))
            return
        self._note(Checked("signal", Verdict.PASS, "the server answers, and refuses the key", 1))
        todo = "compare key and secret with the server's `keys`"
        self._note(Checked("rights", Verdict.FAIL, error.detail, 1, todo))
        self._note(verdicts.judge_clock(self._config.reach, api.clock_skew_s))

    async def _check_all(self, api: ServerApi, webhooks: Awaits, made: float) -> None:
        hook = asyncio.ensure_future(self._once("webhook", webhooks.seen(self._room, made)))
        try:
            await self._check_server(api)
            await hook
        finally:
            hook.cancel()

    async def _check_server(self, api: ServerApi) -> None:
        await self._once("rights", self._rights(api))
        joined = await self._signal()
        self._note(verdicts.judge_clock(self._config.reach, api.clock_skew_s))
        try:
            await self._media(joined)
        except ProbeError as error:
            for each in verdicts.untried(_MEDIA, error.detail).values():
                if each.check not in self._found:
                    self._note(each)
        await self._once("certificate", self._certificate(joined))
        await self._once("listen_only", self._listen_only())
        await self._once("other_room", self._other_room(api))
        await self._once("expired", self._expired())
        await self._once("private_address", self._private_address())
        await self._once("bandwidth", self._bandwidth())
        await self._once("token_endpoint", self._endpoints())

    async def _once(self, check: str, work: Awaitable[Checked]) -> None:
        """Do one check within its limit; what keeps it from being done makes it UNKNOWN."""
        limit_s = max(_LEAST_S, 2 * self._config.timeout)
        try:
            async with asyncio.timeout(limit_s):
                self._note(await work)
        except ProbeError as error:
            self._note(Checked(check, Verdict.UNKNOWN, error.detail))
        except TimeoutError:
            self._note(Checked(check, Verdict.UNKNOWN, f"not finished within {limit_s:g} s"))
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs no other check
            detail = one_line(f"{type(error).__name__}: {error}")
            self._note(Checked(check, Verdict.UNKNOWN, detail))

    def _note(self, found: Checked) -> None:
        self._found[found.check] = found
        self._run.log(f"{found.check}: {found.verdict} {found.measured}")

    def _token(self, *, can_publish: bool = True, ttl_s: float = 600) -> str:
        identity = f"preflight-{secrets.token_hex(4)}"
        return make_token(
            self._run.server,
            identity=identity,
            room=self._room,
            can_publish=can_publish,
            ttl_s=ttl_s,
        )

    async def _rights(self, api: ServerApi) -> Checked:
        try:
            await api.list_rooms([self._room])
            await api.list_participants(self._room)
            await api.list_dispatch(self._room)
        except ProbeError as error:
            if error.reason.is_own_fault:
                raise
            todo = "use a key of the server's `keys`: each has all rights"
            return Checked("rights", Verdict.FAIL, error.detail, 1, todo)
        found = "may create and list rooms, and list participants and dispatches"
        return Checked("rights", Verdict.PASS, found, 4)

    async def _signal(self) -> Joined:
        took: list[float] = []
        try:
            for _ in range(_SIGNALS):
                joined = await join_and_leave(self._run.server, self._token(), self._config.timeout)
                took.append(joined.seconds)
        except ProbeError as error:
            ours = error.reason.is_own_fault
            todo = "" if ours else "let WebSockets pass to the path /rtc"
            verdict = Verdict.UNKNOWN if ours else Verdict.FAIL
            self._note(Checked("signal", verdict, error.detail, len(took) + 1, todo))
            raise
        found = f"joined in {median(took) * 1000:.0f} ms, livekit-server {joined.server_version}"
        self._note(Checked("signal", Verdict.PASS, found, len(took)))
        return joined

    async def _media(self, joined: Joined) -> None:
        """Try every way of media: UDP first, the others at once after it."""
        ways = TimedWays(self._run.server, self._room, self._config.timeout, joined)
        with provoked():
            ports = await ways.ports(self._config.participants)
            if ports.worked:  # whatever becomes of the other ways
                self._note(verdicts.judge_udp(ports, any_way=True))
            with first_probe_error():
                async with asyncio.TaskGroup() as group:
                    by_tcp = group.create_task(ways.tcp())
                    relays = [group.create_task(ways.relay(tls=tls)) for tls in (False, True)]
        tcp, (by_udp, by_tls) = by_tcp.result(), (each.result() for each in relays)
        self._offered = (*ports.offered, *tcp.offered)
        works = [each.works for each in (tcp, by_udp, by_tls) if each is not None]
        any_way = bool(ports.worked) or any(works)
        self._note(verdicts.judge_udp(ports, any_way=any_way))
        fallbacks: dict[str, Transport | None] = {
            "tcp": tcp if tcp.works or tcp.offered else None,
            "turn_udp": by_udp,
            "turn_tls": by_tls,
        }
        for check, way in fallbacks.items():
            self._note(verdicts.judge_way(check, way, any_way=any_way))
        target_s = self._config.target_rtt_ms / 1000
        for check in _BETWEEN:
            times = ways.round_trips_s[check.rpartition("_")[2]]
            self._note(verdicts.judge_round_trips(check, times, target_s))

    async def _certificate(self, joined: Joined) -> Checked:
        found = await read_certificates(self._run.server, joined, self._config.timeout)
        return verdicts.judge_certificates(self._config.reach, found)

    async def _listen_only(self) -> Checked:
        """Announce a track as somebody who may, and as somebody who may not."""
        server, limit_s = self._run.server, self._config.timeout / 3
        if not await may_publish(server, self._token(), limit_s):
            found = "a participant who may publish got no track either"
            return Checked("listen_only", Verdict.UNKNOWN, found, 1)
        if await may_publish(server, self._token(can_publish=False), limit_s):
            found = "the server took a track of a participant who may only listen"
            return Checked("listen_only", Verdict.FAIL, found, 2, "update the server")
        found = "a track was refused, and taken of a participant who may publish"
        return Checked("listen_only", Verdict.PASS, found, 2)

    async def _other_room(self, api: ServerApi) -> Checked:
        """Use a token of our room for another one, by API and by a join."""
        other = f"{self._room}-other"
        entered = await join_and_leave(
            self._run.server, self._token(), self._config.timeout, room=other
        )
        if entered.room != self._room or await api.opens_other_room(self._room, other):
            found = "a token of one room opens another"
            return Checked("other_room", Verdict.FAIL, found, 2, "update the server")
        found = "the API refused it, and a join led to the token's own room"
        return Checked("other_room", Verdict.PASS, found, 2)

    async def _expired(self) -> Checked:
        token = self._token(ttl_s=_EXPIRED_S)
        try:
            await join_and_leave(self._run.server, token, self._config.timeout)
        except ProbeError as error:
            if error.reason is not Reason.AUTH_FAILED:
                raise
            found = "a token that expired an hour ago was refused"
            return Checked("expired", Verdict.PASS, found, 1)
        found = "the server took a token that expired an hour ago"
        return Checked("expired", Verdict.FAIL, found, 1, "check the server's clock, and update it")

    async def _private_address(self) -> Checked:
        host = urlsplit(self._run.server.url).hostname or ""
        entries = await asyncio.get_running_loop().getaddrinfo(host, None)
        resolved = {str(entry[4][0]) for entry in entries}
        return verdicts.judge_addresses(host, resolved, self._offered)

    async def _bandwidth(self) -> Checked:
        """Count what one client sends and another receives of one track."""
        async with connected_pair(
            self._run.server, self._room, tracks=1, timeout_s=self._config.timeout
        ) as pair:
            await pair.read()
            await asyncio.sleep(_BANDWIDTH_S)
            await pair.read()
            first, last = pair.sender.snapshots[0], pair.sender.snapshots[-1]
            begun, ended = pair.receiver.snapshots[0], pair.receiver.snapshots[-1]
        if not (first.sent and last.sent and begun.received and ended.received):
            raise ProbeError(Reason.NO_REPLY, "the SDK reported no packets")
        sent, got = (first.sent[0], last.sent[0]), (begun.received[0], ended.received[0])
        if any(before.at_s >= after.at_s for before, after in (sent, got)):
            raise ProbeError(Reason.NO_REPLY, "the SDK's figures of packets did not change")
        up, down = (
            (after.size - before.size) * 8 / 1000 / (after.at_s - before.at_s)
            for before, after in (sent, got)
        )
        packets, lost = got[1].packets - got[0].packets, got[1].lost - got[0].lost
        return verdicts.judge_bandwidth(up, down, max(0, lost), packets + max(0, lost))

    async def _endpoints(self) -> Checked:
        """Fetch a token from the endpoint of each target that has one."""
        verdicts_of, said = [Verdict.PASS], []
        for each in self._config.endpoints:
            try:
                got = await fetch_token(each.token, self._room, ca_file=self._run.server.ca_file)
            except ProbeError as error:
                ours = error.reason.is_own_fault
                verdicts_of.append(Verdict.UNKNOWN if ours else Verdict.FAIL)
                said.append(f"{each.name}: {error.detail}")
            else:
                verdicts_of.append(Verdict.SLOW if got.found.dangers else Verdict.PASS)
                said.append(f"{each.name}: {got.found}")
        verdict = worst(verdicts_of)
        return Checked(
            "token_endpoint", verdict, "; ".join(said), len(said), _ENDPOINT_ADVICE.get(verdict, "")
        )
