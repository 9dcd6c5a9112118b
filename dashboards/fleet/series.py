"""What several rows of the fleet's dashboard select."""

from dashboards.board import AGENT, SFU
from dashboards.tables import Field

SERVERS = 'server=~"$server"'
AGENTS = f'{SERVERS}, agent_name=~"$agent_name"'
CALLS = f'{AGENTS}, call_type=~"$call_type"'
BY_AGENT = "server, agent_name"
BY_CALL = f"{BY_AGENT}, call_type, scenario"
CALL_LEGEND = "{{agent_name}} {{call_type}} {{scenario}} ({{server}})"
LATENCY = 'check="latency"'

OPEN_AGENT = (
    f"/d/{AGENT}?${{datasource:queryparam}}&var-server=${{__data.fields.Server}}"
    "&var-agent_name=${__data.fields.Agent}&${__url_time_range}"
)
OPEN_SFU = (
    f"/d/{SFU}?${{datasource:queryparam}}&var-server=${{__data.fields.Server}}"
    "&var-vantage=${__data.fields.Vantage}&${__url_time_range}"
)

TARGETS = f"voice_target_latency_seconds{{{CALLS}}}"
TARGET = f"min by ({BY_CALL}) ({TARGETS})"
FAILED = f'voice_probe_last_run_failed{{{CALLS}, probe="latency"}}'
OBJECTIVE = f"max by (server) (voice_slo_objective_ratio{{{SERVERS}}})"


def last_call(at: str = "") -> str:
    """Return the latency of each last call; nothing where the last run failed.

    Args:
        at: A modifier of its series, "" for the time of each point.
    """
    seconds = f"voice_last_call_latency_seconds{{{CALLS}}}{at}"
    return f"max by ({BY_CALL}) ({seconds}) unless max by ({BY_CALL}) ({FAILED}{at})"


def share_of_target(at: str = "") -> str:
    """Return the same as a share of its target; arguments as of `last_call`."""
    return f"({last_call(at)}) / min by ({BY_CALL}) ({TARGETS}{at})"


def within(good: str, judged: str) -> str:
    """Return a share of turns; nothing where there were none."""
    return f"sum by ({BY_CALL}) ({good}) / (sum by ({BY_CALL}) ({judged}) > 0)"


def agent_fields() -> list[Field]:
    """Return the columns of tables with a row for each agent."""
    return [
        Field("Agent", "agent_name", url=OPEN_AGENT, width=130, grows=True),
        Field("Server", "server", width=75),
    ]
