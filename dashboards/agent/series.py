"""What several rows of the agent's dashboard select."""

THE_SERVER = 'server="$server"'
THE_AGENT = f'{THE_SERVER}, agent_name="$agent_name"'
CALLS = f'{THE_AGENT}, call_type=~"$call_type"'
CALL_TYPE = "call_type"
CALL = "call_type, scenario"

E2E = "voice_e2e_latency_seconds"
TARGETS = f"voice_target_latency_seconds{{{CALLS}}}"
TARGET = f"min by ({CALL_TYPE}) ({TARGETS})"
TURNS = f"voice_turns_total{{{CALLS}}}"
FAILED = f'voice_probe_last_run_failed{{{CALLS}, probe="latency"}}'


def last_call(by: str) -> str:
    """Return the latency of each last call; nothing where the last run failed."""
    seconds = f"max by ({by}) (voice_last_call_latency_seconds{{{CALLS}}})"
    return f"{seconds} unless max by ({by}) ({FAILED})"
