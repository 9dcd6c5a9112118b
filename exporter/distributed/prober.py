"""One vantage of a distributed ramp. It only ever dials out, so it works behind NAT."""

import asyncio
import contextlib
import logging
import secrets
import ssl
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeVar

import httpx
from pydantic import ValidationError

from exporter.distributed.api import POLL_S
from exporter.distributed.clock import Exchange, Offset
from exporter.distributed.config import DistributedConfig
from exporter.distributed.messages import (
    Done,
    Heard,
    Message,
    Now,
    Plan,
    Registration,
    Sign,
    Step,
)
from exporter.errors import ConfigError, ProbeError
from exporter.outcome import Reason
from exporter.probes.ramp.judge import JudgedTier, Targets, judge_tier
from exporter.probes.ramp.processes import RampProcesses
from exporter.probes.ramp.rooms import Rooms
from exporter.probes.ramp.spec import RampConfig
from exporter.probes.ramp.summary import TierSummary
from exporter.server_api import Server
from exporter.server_api.errors import one_line

log = logging.getLogger(__name__)

EXCHANGES = 8
"""Questions for the coordinator's clock before each tier; the fastest answer counts."""
SIGN_S = 1.0
"""Time between two signs of life."""
RETRY_S = 0.5
GONE_AFTER_S = 15.0
"""A coordinator that cannot be reached for so long is gone."""
_REQUEST_S = 5.0
_BY_THE_WAY = (
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
"""Answers of a proxy before the coordinator, not its own."""

Said = TypeVar("Said", bound=Message)


@dataclass(slots=True)
class VantageReport:
    """What this vantage has measured, and how it ended."""

    vantage: str
    tiers: list[JudgedTier] = field(default_factory=list)
    error: str = ""
    """Why it did not come to the end; "" if it did."""


async def take_part(
    server: Server,
    url: str,
    config: DistributedConfig,
    ramp: RampConfig,
    show: Callable[[str], None],
) -> VantageReport:
    """Register, and do what the coordinator says until it says stop.

    Args:
        server: The SFU that is loaded, and this vantage's credentials for it.
        url: Of the coordinator.
        config: The token, and whom to trust.
        ramp: This host's own part of it: vantage, processes. Tiers are the coordinator's.
        show: Told what it does.

    Raises:
        ConfigError: The certificates to trust cannot be read.
    """
    report = VantageReport(ramp.vantage)
    async with httpx.AsyncClient(
        base_url=url.rstrip("/"),
        headers={"Authorization": f"Bearer {config.shared_token}"} if config.shared_token else {},
        verify=_trusted(config),
        timeout=_REQUEST_S,
    ) as client:
        try:
            coordinator = await _Coordinator.register(client, ramp.vantage, config.gather_timeout)
            show(f"registered as {ramp.vantage}")
            await _Vantage(server, coordinator, ramp, report, show).run()
        except ProbeError as error:
            report.error = str(error)
    return report


class _Coordinator:
    """The coordinator, as a prober sees it."""

    def __init__(self, client: httpx.AsyncClient, plan: Plan) -> None:
        self._client = client
        self._path = f"/v1/vantages/{plan.member}"
        self.plan = plan

    @classmethod
    async def register(
        cls, client: httpx.AsyncClient, vantage: str, patience_s: float
    ) -> "_Coordinator":
        """Register, and wait for a coordinator that is not there yet.

        Raises:
            ProbeError: It does not answer, or refuses.
        """
        registration = Registration(vantage=vantage, attempt=secrets.token_hex(8))
        answer = await _ask(client, "POST", "/v1/vantages", registration, gone_after_s=patience_s)
        return cls(client, _said(answer, Plan))

    async def step_after(self, number: int) -> Step:
        """Wait for the next step."""
        while True:
            answer = await _ask(
                self._client,
                "GET",
                f"{self._path}/step?after={number}",
                timeout_s=POLL_S + _REQUEST_S,
            )
            if answer.status_code != HTTPStatus.NO_CONTENT:
                return _said(answer, Step)

    async def offset(self) -> Offset:
        """Measure what the coordinator's clock shows more than ours."""
        exchanges = []
        for _ in range(EXCHANGES):
            asked = time.monotonic()
            answer = await _ask(self._client, "GET", "/v1/time")
            answered = time.monotonic()
            exchanges.append(Exchange(asked, _said(answer, Now).monotonic_s, answered))
        return Offset.of(exchanges)

    async def sign(self, round_trip_s: float | None) -> bool:
        """Give a sign of life; return whether the ramp is over."""
        sign = Sign(round_trip_s=round_trip_s)
        answer = await _ask(self._client, "POST", f"{self._path}/sign", sign)
        return _said(answer, Heard).over

    async def done(self, done: Done) -> None:
        """Say that a step is done."""
        await _ask(self._client, "POST", f"{self._path}/done", done)


class _Vantage:
    """The steps, as this host does them."""

    def __init__(
        self,
        server: Server,
        coordinator: _Coordinator,
        ramp: RampConfig,
        report: VantageReport,
        show: Callable[[str], None],
    ) -> None:
        self._server = server
        self._coordinator = coordinator
        self._plan = coordinator.plan
        self._ramp = ramp
        self._report = report
        self._show = show
        self._round_trip_s: float | None = None
        self._offset: Offset | None = None
        self._number = 0
        self._busy = False

    async def run(self) -> None:
        """Do every step.

        Raises:
            ProbeError: The coordinator is gone or has given us up, or the SFU makes no rooms.
        """
        plan = self._plan
        async with (
            Rooms(self._server, plan.rooms, lambda _: None) as rooms,
            RampProcesses(
                self._server,
                rooms,
                ping_interval_s=plan.ping_interval_s,
                connect_timeout_s=plan.connect_timeout_s,
                per_process=self._ramp.clients_per_process,
            ) as processes,
        ):
            try:
                await self._until_either_ends(self._steps(processes), self._signs())
            except asyncio.CancelledError:
                await self._say_goodbye("interrupted")
                raise
            except ProbeError as error:
                await self._say_goodbye(str(error))
                raise
            if self._busy:
                why = "the coordinator ended the ramp during a tier"
                raise ProbeError(Reason.API_FAILED, why)

    @staticmethod
    async def _until_either_ends(*parts: Coroutine[None, None, None]) -> None:
        """Run both until one has ended, and raise what it raises."""
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _steps(self, processes: RampProcesses) -> None:
        """Do one step after the other, until it is over."""
        while (step := await self._coordinator.step_after(self._number)).kind != "stop":
            self._number = step.number
            self._busy = True
            done = await self._do(step, processes)
            self._busy = False
            await self._coordinator.done(done)

    async def _do(self, step: Step, processes: RampProcesses) -> Done:
        if step.kind == "grow":
            self._show(f"connecting {step.clients} clients")
            await processes.grow(step.clients)
            # Now, for on a long way it takes longer than the countdown.
            self._offset = await self._coordinator.offset()
            return Done(number=step.number)
        if step.at_s is not None and self._offset is not None:
            await asyncio.sleep(max(0.0, self._offset.ours(step.at_s) - time.monotonic()))
        self._show(f"holding {step.clients} clients")
        plan = self._plan
        targets = Targets(plan.target_rtt_ms, plan.max_loss, plan.max_failed)
        summary = TierSummary.of(await processes.hold(plan.duration_s, self._note))
        tier = judge_tier(summary, targets)
        self._report.tiers.append(tier)
        return Done(number=step.number, tier=tier)

    def _note(self, round_trip_s: float | None) -> None:
        self._round_trip_s = round_trip_s

    async def _say_goodbye(self, why: str) -> None:
        with contextlib.suppress(ProbeError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._coordinator.done(Done(number=self._number, error=one_line(why)))

    async def _signs(self) -> None:
        """Give signs of life until the ramp is over, whatever else takes long.

        Nobody must load an SFU for a coordinator that is gone, or that counts it no more.

        Raises:
            ProbeError: The coordinator is gone, or has given us up.
        """
        over = False
        while not over:
            over = await self._coordinator.sign(self._round_trip_s)
            await asyncio.sleep(0.0 if over else SIGN_S)


async def _ask(
    client: httpx.AsyncClient,
    method: str,
    path: str,
    body: Message | None = None,
    *,
    timeout_s: float = _REQUEST_S,
    gone_after_s: float = GONE_AFTER_S,
) -> httpx.Response:
    """Ask, and again where the way was at fault.

    Raises:
        ProbeError: connect_failed: it cannot be reached. auth_failed: the token is wrong.
            api_failed: it refuses.
    """
    content = body.model_dump_json() if body is not None else None
    headers = {"Content-Type": "application/json"} if content else {}
    until = time.monotonic() + gone_after_s
    while True:
        try:
            answer = await client.request(
                method, path, content=content, headers=headers, timeout=timeout_s
            )
            if answer.status_code not in _BY_THE_WAY:
                return _accepted(answer)
            what = f"HTTP {answer.status_code}"
        except httpx.HTTPError as error:
            if untrusted := _untrusted(error):
                detail = f"the coordinator's certificate is not trusted: {untrusted}; see ca_file"
                raise ProbeError(Reason.CONNECT_FAILED, detail) from None
            what = one_line(f"{type(error).__name__}: {error}")
        if time.monotonic() >= until:
            detail = f"cannot reach the coordinator: {what}"
            raise ProbeError(Reason.CONNECT_FAILED, detail)
        await asyncio.sleep(RETRY_S)


def _accepted(answer: httpx.Response) -> httpx.Response:
    """Return an answer that is no refusal.

    Raises:
        ProbeError: auth_failed or api_failed: it is one.
    """
    if answer.status_code == HTTPStatus.UNAUTHORIZED:
        raise ProbeError(Reason.AUTH_FAILED, "the coordinator expects a different token")
    if not answer.is_success:
        raise ProbeError(Reason.API_FAILED, f"the coordinator refused: {_detail(answer)}")
    return answer


def _said(answer: httpx.Response, kind: type[Said]) -> Said:
    """Return what an answer says.

    Raises:
        ProbeError: api_failed: the answer is not that of a coordinator of this version.
    """
    try:
        return kind.model_validate_json(answer.content)
    except ValidationError:
        place = f"{answer.url.host}:{answer.url.port or answer.url.scheme}"
        detail = f"{place} is not a coordinator of this version"
        raise ProbeError(Reason.API_FAILED, detail) from None


def _trusted(config: DistributedConfig) -> ssl.SSLContext | bool:
    """Return whose certificates are trusted: those of a file, or the system's."""
    if config.ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=config.ca_file)
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"distributed.ca_file: {config.ca_file}: {why}; expected certificates as PEM"
        ) from None


def _untrusted(error: BaseException | None) -> str:
    """Return why a certificate was refused; "" where something else went wrong.

    A way that is down may come up again; a certificate does not become another one.
    """
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            return error.verify_message
        error = error.__cause__ or error.__context__
    return ""


def _detail(answer: httpx.Response) -> str:
    try:
        told = answer.json()["detail"]
    except (ValueError, KeyError, TypeError):
        told = f"HTTP {answer.status_code}"
    return one_line(told if isinstance(told, str) else f"HTTP {answer.status_code}: {told}")
