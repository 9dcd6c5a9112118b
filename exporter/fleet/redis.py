"""Leases in Redis: each operation is one script, so that nothing happens between its parts.

A lease is a key `SET NX PX` with its holder and its fencing number, which `INCR` gives. Redis may
forget: it is restarted without its last writes, or a replica takes its place. The `run_id` of the
server shows that; from then on no lease is given before one of its duration has passed.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Lock
from typing import Any

from exporter.errors import StoreError
from exporter.fleet.client import Grant, Holder
from exporter.fleet.leases import LONGEST_S
from exporter.store.redis.address import Address
from exporter.store.redis.connect import client, translated

ANSWER_S = 2.0
"""For Redis to answer: several leases are missed by an answer that comes later."""
_LOOK_BACK_MS = 7 * 86400 * 1000
"""When a work was last run is forgotten after so long."""

_SINCE_RESTART = """
local longest = tonumber(ARGV[1])
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
if redis.call('GET', KEYS[1]) ~= run then
  redis.call('SET', KEYS[1], run)
  redis.call('SET', KEYS[2], 1, 'PX', longest)
  if tonumber(redis.call('GET', KEYS[3]) or '0') < now then
    redis.call('SET', KEYS[3], string.format('%.0f', now))
  end
end
local left = redis.call('PTTL', KEYS[2])
local since = longest
if left > 0 then since = longest - left end
"""
"""Sets `now`, and `since`, the time for which this server has surely known of all leases, at most
the longest lease; both in ms. Fencing numbers go on above all that may be forgotten."""

_ACQUIRE = (
    _SINCE_RESTART
    + """
if since < tonumber(ARGV[3]) or redis.call('EXISTS', KEYS[5]) == 1 then return false end
local fence = string.format('%.0f', redis.call('INCR', KEYS[3]))
redis.call('SET', KEYS[5], ARGV[2] .. ' ' .. fence, 'NX', 'PX', ARGV[3])
local last = redis.call('GET', KEYS[4])
local age = -1
if last then age = math.max(0, now - last) end
return {fence, tostring(age)}
"""
)
_RENEW = (
    _SINCE_RESTART
    + """
local renewed = {}
for i = 4, #KEYS do
  local fence, lasts = ARGV[2 * i - 5], ARGV[2 * i - 4]
  local mine, found = ARGV[2] .. ' ' .. fence, redis.call('GET', KEYS[i])
  if found == mine then
    redis.call('PEXPIRE', KEYS[i], lasts)
    renewed[i - 3] = 1
  elseif not found and since < tonumber(lasts) then
    redis.call('SET', KEYS[i], mine, 'PX', lasts)
    if tonumber(redis.call('GET', KEYS[3])) < tonumber(fence) then
      redis.call('SET', KEYS[3], fence)
    end
    renewed[i - 3] = 1
  else
    renewed[i - 3] = 0
  end
end
return renewed
"""
)
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
"""
_BEGAN = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
local t = redis.call('TIME')
local at = string.format('%.0f', t[1] * 1000 + math.floor(t[2] / 1000) - ARGV[3])
redis.call('SET', KEYS[2], at, 'PX', ARGV[2])
return 1
"""
_BEAT = """
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f %s', now + ARGV[2], ARGV[3]))
local all, alive = redis.call('HGETALL', KEYS[1]), {}
for i = 1, #all, 2 do
  local ends, load = string.match(all[i + 1], '(%d+) (%d+)')
  if tonumber(ends) > now then
    alive[#alive + 1], alive[#alive + 2] = all[i], load
  else
    redis.call('HDEL', KEYS[1], all[i])
  end
end
return alive
"""


class RedisLeases:
    """The leases of a group, in one Redis. See `LeaseClient` for what each method does."""

    def __init__(self, address: Callable[[], Address], namespace: str) -> None:
        """Set up; nothing is connected before the first use. Each question is asked in a thread.

        Args:
            address: Returns where Redis is, and may raise `StoreError`. It is asked again after
                each failure: the password may have changed.
            namespace: What all keys begin with. It is a hash tag: in a cluster they share a slot.
        """
        self._address = address
        self._connected: tuple[Address, Any] | None = None
        self._connecting = Lock()
        self._tag = f"{{{namespace}}}:"
        self._server_keys = tuple(map(self._key, ("server", "warming", "fence")))

    async def beat(self, member: str, lasts_s: float, load: int) -> Mapping[str, int]:
        """Note that a member lives."""
        words = [member, _ms(lasts_s), str(load)]
        found = iter(await self._run(_BEAT, [self._key("members")], words))
        return {name: int(load_of) for name, load_of in zip(found, found, strict=True)}

    async def leave(self, member: str) -> None:
        """Note that it lives no longer."""
        await self._ask(lambda redis: redis.hdel(self._key("members"), member))

    async def holders(self, works: Sequence[str]) -> Mapping[str, Holder]:
        """Return who has which lease."""
        if not works:
            return {}
        keys = [self._lease(work) for work in works]
        values = await self._ask(lambda redis: redis.mget(keys))
        return {work: _holder(value) for work, value in zip(works, values, strict=True) if value}

    async def acquire(self, work: str, member: str, lasts_s: float) -> Grant | None:
        """Take a lease that nobody has."""
        keys = [*self._server_keys, self._last_run(work), self._lease(work)]
        found = await self._run(_ACQUIRE, keys, [_ms(LONGEST_S), member, _ms(lasts_s)])
        if not found:
            return None
        fence, age_ms = map(float, found)
        return Grant(int(fence), age_ms / 1000 if age_ms >= 0 else None)

    async def renew(self, member: str, leases: Mapping[str, tuple[int, float]]) -> frozenset[str]:
        """Let leases last for longer."""
        keys = [*self._server_keys, *map(self._lease, leases)]
        args = [_ms(LONGEST_S), member]
        for fence, lasts_s in leases.values():
            args += [str(fence), _ms(lasts_s)]
        renewed = await self._run(_RENEW, keys, args)
        return frozenset(work for work, is_ours in zip(leases, renewed, strict=True) if is_ours)

    async def release(self, work: str, member: str, fence: int) -> None:
        """Give a lease back."""
        await self._run(_RELEASE, [self._lease(work)], [f"{member} {fence}"])

    async def began(self, work: str, member: str, fence: int, ago_s: float = 0.0) -> bool:
        """Note that a run began."""
        keys = [self._lease(work), self._last_run(work)]
        args = [f"{member} {fence}", str(_LOOK_BACK_MS), _ms(ago_s)]
        return bool(await self._run(_BEGAN, keys, args))

    async def aclose(self) -> None:
        """Let go of the connections."""
        await asyncio.to_thread(self._disconnect)

    async def _run(self, script: str, keys: Sequence[str], words: Sequence[str]) -> Any:
        return await self._ask(lambda redis: redis.register_script(script)(keys, words))

    async def _ask(self, question: Callable[[Any], Any]) -> Any:
        """Ask in a thread, and return the answer.

        Raises:
            StoreError: There is none, or Redis refused.
        """
        return await asyncio.to_thread(self._answer, question)

    def _answer(self, question: Callable[[Any], Any]) -> Any:
        address, redis = self._connection()
        try:
            with translated(address):
                return question(redis)
        except StoreError:
            self._disconnect()
            raise

    def _connection(self) -> tuple[Address, Any]:
        with self._connecting:
            if self._connected is None:
                address = self._address()
                with translated(address):
                    self._connected = address, client(address, ANSWER_S)
            return self._connected

    def _disconnect(self) -> None:
        """Begin anew with the next question."""
        with self._connecting:
            before, self._connected = self._connected, None
        if before is not None:
            with suppress(StoreError), translated(before[0]):
                before[1].close()

    def _last_run(self, work: str) -> str:
        return self._key(f"last_run:{work}")

    def _key(self, name: str) -> str:
        return self._tag + name

    def _lease(self, work: str) -> str:
        return self._key(f"lease:{work}")


def _holder(value: str) -> Holder:
    member, _, fence = value.rpartition(" ")
    return Holder(member, int(fence))


def _ms(seconds: float) -> str:
    return str(round(seconds * 1000))
