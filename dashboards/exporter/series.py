"""What several rows of the exporter's dashboard select."""

SERVERS = 'server=~"$server"'
BY_PROBE = "server, probe, agent_name"
PROBE_LEGEND = "{{probe}} {{agent_name}} ({{server}})"
ATTEMPT_STEP = "5m"
"""As for calls: a bar has an attempt of every probe that runs each five minutes or sooner."""


def age_in_intervals(at: str = "") -> str:
    """Return how long ago each probe last ran, over its interval.

    Args:
        at: A modifier of its series, "" for the time of each point.
    """
    last = f"max by ({BY_PROBE}) (voice_probe_last_run_timestamp_seconds{{{SERVERS}}}{at} > 0)"
    interval = f"min by ({BY_PROBE}) (voice_probe_interval_seconds{{{SERVERS}}})"
    return f"(time() - {last}) / {interval}"
