"""The page on `preflight`, as the code has its checks."""

from collections.abc import Iterator

from exporter.probes.preflight.spec import ABOUT, UNSEEN

_HEAD = """# Preflight

`voice-exporter preflight` checks a server before real callers come: transports, certificate,
clock, key, tokens, webhooks and bandwidth. It takes about 20 seconds, makes one room, and calls no
agent.

    voice-exporter preflight --webhook-listen 0.0.0.0:9466

Run it from a host in a network like that of your callers.
Each line has a verdict, what was measured with its n, and what to do. Each check has a time limit
of its own; one that cannot be done is UNKNOWN with the reason, never PASS. The exit status is 0
only if all are PASS: leave out what does not concern you, as `--skip turn_tls,webhook`.

The webhook is seen where the server sends it: add the address of `--webhook-listen` to the
server's `webhook.urls`, or name by `--collector` the exporter that gets them already. The exporter
counts events and not rooms, so there it may have been the room of someone else.

`--json` prints the same as one document. `voice-exporter sfu --preflight` is shorter: transports,
rights, certificate and clock alone.

## Checks
"""
_UNSEEN = """
## What it cannot see
"""


def preflight_page() -> str:
    """Return the page."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield _HEAD
    yield "| check | how it is judged |"
    yield "|---|---|"
    for check, text in ABOUT.items():
        yield f"| `{check}` | {text} |"
    yield _UNSEEN
    for each in UNSEEN:
        yield f"- {each}"
