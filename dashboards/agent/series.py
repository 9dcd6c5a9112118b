"""What several rows of the agent's dashboard select."""

THE_SERVER = 'server="$server"'
THE_AGENT = f'{THE_SERVER}, agent_name="$agent_name"'
CALLS = f'{THE_AGENT}, call_type=~"$call_type"'
CALL_TYPE = "call_type"

E2E = "voice_e2e_latency_seconds"
TARGET = f"min by ({CALL_TYPE}) (voice_target_latency_seconds{{{CALLS}}})"
TURNS = f"voice_turns_total{{{CALLS}}}"
