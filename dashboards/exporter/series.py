"""What several rows of the exporter's dashboard select."""

SERVERS = 'server=~"$server"'
BY_PROBE = "server, probe, agent_name"
PROBE_LEGEND = "{{probe}} {{agent_name}} ({{server}})"
ATTEMPT_STEP = "2m"
"""As for calls: a window has an attempt of every probe that runs each five minutes or sooner."""


def age_in_intervals() -> str:
    """Return how long ago each probe last ran, over its interval."""
    last = f"max by ({BY_PROBE}) (voice_probe_last_run_timestamp_seconds{{{SERVERS}}} > 0)"
    interval = f"min by ({BY_PROBE}) (voice_probe_interval_seconds{{{SERVERS}}})"
    return f"(time() - {last}) / {interval}"
