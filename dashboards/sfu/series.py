"""What several rows of the SFU's dashboard select."""

THE_SERVER = 'server="$server"'
WAY = f'{THE_SERVER}, vantage=~"$vantage"'
PEAK = f"server:voice_call_clients:max7d{{{THE_SERVER}}}"
BASELINE_STEP = "1m"
"""Baselines are a minute apart by default, and last about 12 s."""


def largest(metric: str) -> str:
    """Return the largest value of each vantage."""
    return f"max by (vantage) ({metric}{{{WAY}}})"


def least(metric: str) -> str:
    """Return the least value of each vantage."""
    return f"min by (vantage) ({metric}{{{WAY}}})"
