"""What several rows of the exporter's dashboard select."""

SERVERS = 'server=~"$server"'
BY_PROBE = "server, probe, agent_name"
PROBE_LEGEND = "{{probe}} {{agent_name}} ({{server}})"
ATTEMPT_STEP = "5m"
"""As for calls: a bar has an attempt of every probe that runs each five minutes or sooner."""


def age_in_intervals() -> str:
    """Return how long ago each probe last ran, over its interval."""
    last = f"max by ({BY_PROBE}) (voice_probe_last_run_timestamp_seconds{{{SERVERS}}} > 0)"
    return f"(time() - {last}) / {_interval()}"


def age_at_end() -> str:
    """Return the same at the end of the time range, whatever the time of a point.

    `time()` is that of each point, which `@` does not change; the time of a sample is its own.
    """
    last = f"voice_probe_last_run_timestamp_seconds{{{SERVERS}}} @ end()"
    age = f"min by ({BY_PROBE}) (timestamp({last}) - ({last} > 0))"
    return f"{age} / {_interval(' @ end()')}"


def _interval(at: str = "") -> str:
    return f"min by ({BY_PROBE}) (voice_probe_interval_seconds{{{SERVERS}}}{at})"
