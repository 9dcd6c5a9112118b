"""What the token of the user's own endpoint says on /metrics."""

from collections.abc import Iterator
from functools import partial

from exporter.outcome import CallResult, TokenDanger, TokenFailure
from exporter.series import Reading, family

_family = partial(family, "calls")

SECONDS = _family(
    "voice_token_seconds",
    "histogram",
    "agent_name call_type scenario vantage",
    "Time from the request for the caller's token to its whole answer, of targets with `token`: a "
    "part of a caller's wait that no other metric has. Tokens that came.",
    buckets=(0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
FAILURES = _family(
    "voice_token_failures_total",
    "counter",
    "agent_name call_type scenario vantage reason",
    "Calls without a token, by reason: unreachable, timeout, refused (HTTP 401 or 403), "
    "rate_limited (429), http_error, too_large, no_token (under no known key), not_a_token, "
    "headers_file (it cannot be used any more).",
    reason=tuple(TokenFailure),
)
DANGERS = _family(
    "voice_token_dangerous_claim",
    "gauge",
    "agent_name call_type scenario vantage claim",
    "Whether the last token of a caller had a claim that no caller should have: 1 or 0. Claim: "
    "room_admin, room_create, room_list, room_record, ingress_admin, sip_admin, no_room, "
    "long_lived (more than 24 h). Absent without `token`.",
    keeps=True,
    claim=tuple(TokenDanger),
)
FAMILIES = (SECONDS, FAILURES, DANGERS)


def readings(call: CallResult) -> Iterator[Reading]:
    """Show what the endpoint gave."""
    token = call.token
    if token is None:
        return
    if token.failure is not None:
        yield FAILURES.read(1, reason=token.failure)
    if token.fetch_s is not None:
        yield SECONDS.read(token.fetch_s)
        for claim in TokenDanger:
            yield DANGERS.read(claim in token.dangers, claim=claim)
