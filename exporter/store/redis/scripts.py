"""What Redis does in one step, in Lua.

Days of spending and exporters that live have keys of their own, which a script makes from the
prefix: in a cluster they are on the node of its other keys, by the hash tag of them all.
"""

from dataclasses import dataclass, field
from hashlib import sha1

from exporter.store.records import SPENDING_KEPT_DAYS

ALIVE_S = 30
"""An exporter that has said nothing for so long may have died."""
_SPENDING_EXPIRES_S = (SPENDING_KEPT_DAYS + 2) * 86400


@dataclass(frozen=True, slots=True)
class Script:
    """A script and the keys that it always uses. `ARGV[1]` is the prefix of all keys."""

    body: str
    keys: tuple[str, ...]
    text: str = field(init=False, repr=False)
    digest: str = field(init=False, repr=False)
    """By which Redis knows it."""

    def __post_init__(self) -> None:
        """Put it together."""
        text = _SHARED + self.body
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "digest", sha1(text.encode(), usedforsecurity=False).hexdigest())


_SHARED = f"""
local prefix = ARGV[1]
local function spent_key(run) return prefix .. 'spent:' .. run.day end
local function fields(target)
  return 'turns ' .. target, 'seconds ' .. target, 'tokens ' .. target
end
local function charge(run, turns, seconds, tokens)
  if run.target == '' then return end
  local key, of_turns, of_seconds, of_tokens = spent_key(run), fields(run.target)
  redis.call('HINCRBY', key, of_turns, turns)
  redis.call('HINCRBYFLOAT', key, of_seconds, string.format('%.17g', seconds))
  redis.call('HINCRBY', key, of_tokens, tokens)
  redis.call('EXPIRE', key, {_SPENDING_EXPIRES_S})
  redis.call('SADD', prefix .. 'days', run.day)
end
local function close(id)
  local document = redis.call('HGET', KEYS[1], id)
  if not document then return nil end
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[2], id)
  return cjson.decode(document)
end
"""

BEGIN = Script(
    """
local id, document, owner = ARGV[2], ARGV[3], ARGV[4]
if redis.call('HEXISTS', KEYS[1], id) == 1 or redis.call('HEXISTS', KEYS[3], id) == 1 then
  return 1
end
if ARGV[8] ~= '' and redis.call('GET', KEYS[4]) ~= ARGV[8] then
  return redis.error_reply('its data were lost')
end
local run = cjson.decode(document)
local spent = redis.call('HMGET', spent_key(run), fields(run.target))
local function sum(index, more) return tonumber(spent[index] or '0') + more end
local turns, seconds, tokens = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
if turns and sum(1, run.plan.turns) > turns then return 0 end
if seconds and sum(2, run.plan.call_seconds) > seconds then return 0 end
if tokens and sum(3, run.plan.tokens) >= tokens then return 0 end
redis.call('HSET', KEYS[1], id, document)
redis.call('HSET', KEYS[2], id, owner)
charge(run, run.plan.turns, run.plan.call_seconds, run.plan.tokens)
return 1
""",
    ("open", "open:owners", "runs", "identity"),
)
"""Arguments: id, document and owner of the run; limits of turns, seconds and tokens, "" for none;
the identity of the data that hold the sums, "" for any. Returns 1 if it is open, or was: a question
whose answer was lost is asked again, and meanwhile another exporter may have ended the run."""

END = Script(
    """
local id, document, at, kind, other, agent = unpack(ARGV, 2, 7)
local run = close(id)
if run and ARGV[8] ~= '' then
  charge(run, ARGV[8] - run.plan.turns, ARGV[9] - run.plan.call_seconds, ARGV[10] - run.plan.tokens)
end
redis.call('HSET', KEYS[3], id, document)
redis.call('ZADD', KEYS[4], at, id)
redis.call('ZADD', KEYS[4] .. ':' .. kind, at, id)
redis.call('ZREM', KEYS[4] .. ':' .. other, id)
redis.call('ZADD', KEYS[4] .. ':agent:' .. agent, at, id)
""",
    ("open", "open:owners", "runs", "runs:by_start"),
)
"""Arguments: id, document and start of the run, its kind, the other kind, its agent; what it cost
in turns, seconds and tokens, "" for its plan."""

CANCEL = Script(
    """
local run = close(ARGV[2])
if run then charge(run, 0 - run.plan.turns, 0 - run.plan.call_seconds, 0 - run.plan.tokens) end
""",
    ("open", "open:owners"),
)
"""Arguments: id of the run."""

RESTORE = Script(
    f"""
local day, target = ARGV[2], ARGV[3]
local key = prefix .. 'spent:' .. day
for index, name in ipairs({{fields(target)}}) do
  local known = tonumber(redis.call('HGET', key, name) or '0')
  if tonumber(ARGV[3 + index]) >= known then redis.call('HSET', key, name, ARGV[3 + index]) end
end
redis.call('EXPIRE', key, {_SPENDING_EXPIRES_S})
redis.call('SADD', KEYS[1], day)
""",
    ("days",),
)
"""Arguments: day, target, and sums of turns, seconds and tokens: of two sums the larger stays."""

CLAIM = Script(
    """
local me, dead, taken = ARGV[2], {}, {}
for index = 3, #ARGV do
  dead[ARGV[index]] = redis.call('EXISTS', prefix .. 'alive:' .. ARGV[index]) == 0
end
local owners = redis.call('HGETALL', KEYS[1])
for index = 1, #owners, 2 do
  if dead[owners[index + 1]] then
    redis.call('HSET', KEYS[1], owners[index], me)
    table.insert(taken, owners[index])
  end
end
return taken
""",
    ("open:owners",),
)
CLAIM_CALLS = Script(CLAIM.body, ("calls:owners",))
"""Arguments: the exporter that takes over, and those that seem to have died. Returns the ids of
what was theirs; of several exporters that ask at once, one gets each."""

DROP = Script(
    """
for index = 2, #ARGV, 2 do
  local id = ARGV[index]
  redis.call('HDEL', KEYS[1], id)
  redis.call('HDEL', KEYS[3], id)
  for _, name in ipairs({'', ':ok', ':failed', ':agent:' .. ARGV[index + 1]}) do
    redis.call('ZREM', KEYS[2] .. name, id)
  end
end
""",
    ("runs", "runs:by_start", "evidence"),
)
"""Arguments: ids of runs, each with its agent."""

SAVE_CALLS = Script(
    """
local owner, now = ARGV[2], redis.call('TIME')[1]
for index = 3, #ARGV, 2 do
  redis.call('HSET', KEYS[1], ARGV[index], ARGV[index + 1])
  redis.call('HSET', KEYS[2], ARGV[index], owner)
  redis.call('ZADD', KEYS[3], now, ARGV[index])
end
""",
    ("calls", "calls:owners", "calls:by_change"),
)
"""Arguments: the exporter, then ids of rooms' sessions, each with its document."""

FORGET_CALLS = Script(
    """
for index = 2, #ARGV do
  redis.call('HDEL', KEYS[1], ARGV[index])
  redis.call('HDEL', KEYS[2], ARGV[index])
  redis.call('ZREM', KEYS[3], ARGV[index])
end
""",
    ("calls", "calls:owners", "calls:by_change"),
)
"""Arguments: ids of rooms' sessions."""

SAVE_WORKERS = Script(
    """
for index = 2, #ARGV, 3 do
  local id, seen, document = unpack(ARGV, index, index + 2)
  if seen == '' then
    redis.call('HDEL', KEYS[1], id)
    redis.call('ZREM', KEYS[2], id)
  elseif tonumber(seen) >= tonumber(redis.call('ZSCORE', KEYS[2], id) or '-inf') then
    redis.call('HSET', KEYS[1], id, document)
    redis.call('ZADD', KEYS[2], seen, id)
  end
end
""",
    ("workers", "workers:by_seen"),
)
"""Arguments: id, time of the last sign of life and document of each worker; "" for one that has
gone. What another exporter has seen later stays."""

DROP_WORKERS = Script(
    """
for _, id in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, 1000)) do
  redis.call('HDEL', KEYS[1], id)
  redis.call('ZREM', KEYS[2], id)
end
""",
    ("workers", "workers:by_seen"),
)
"""Arguments: those not seen since that time go."""

ADD_CALIBRATION = Script(
    """
redis.call('ZREMRANGEBYSCORE', KEYS[1], ARGV[2], ARGV[2])
redis.call('ZADD', KEYS[1], ARGV[2], ARGV[3])
""",
    ("calibrations",),
)
"""Arguments: when it began, and its document."""
