"""Whatever probe a run was of: its verdict."""

from pydantic import BaseModel

from exporter.checklist import judge_reach
from exporter.outcome import Outcome, Verdict
from exporter.probes.latency import LatencyConfig
from exporter.probes.ramp import RampConfig
from exporter.probes.reach import ReachConfig
from exporter.probes.reconnect import ReconnectConfig
from exporter.probes.sfu import SfuConfig
from exporter.verdict import judge_call, judge_ramp, judge_reconnect, judge_server, judge_sfu


def judge(config: BaseModel | None, outcome: Outcome) -> Verdict:
    """Judge a run by what it was configured to be; None: it is about the server alone."""
    match config:
        case LatencyConfig():
            return judge_call(config, outcome)
        case SfuConfig():
            return judge_sfu(config, outcome)
        case ReachConfig():
            return judge_reach(config, outcome)
        case ReconnectConfig():
            return judge_reconnect(config, outcome)
        case RampConfig():
            return judge_ramp(config, outcome)
        case _:
            return judge_server(outcome)
