"""The arithmetic of panels, over series whose answer is known."""

import subprocess
from pathlib import Path

import yaml

from tests.monitoring import grafana
from tests.monitoring.services import find_program

QUERIES = {query.where: query.expression for each in grafana.load() for query in each.queries}
VARIABLES = {
    "server": "s",
    "agent_name": "a",
    "call_type": "c",
    "vantage": "v",
    "__range": "1h",
    "__rate_interval": "8m",
    "__interval": "5m",
}
_AGENT = 'server="s",agent_name="a"'
_CALL = f'{_AGENT},call_type="c"'
_TURNS = f'{_CALL},scenario="x"'
_BROKEN = 'server="s",agent_name="b",call_type="c",scenario="x"'
_PROBE = 'server="s",agent_name=""'
SERIES = {
    f'voice_verdict{{{_TURNS},check="latency",verdict="PASS"}}': "0x90",
    f'voice_verdict{{{_TURNS},check="latency",verdict="SLOW"}}': "1x90",
    f'voice_verdict{{{_TURNS},check="latency",verdict="FAIL"}}': "0x90",
    f'voice_verdict{{{_TURNS},check="latency",verdict="UNKNOWN"}}': "0x90",
    f'voice_verdict_since_timestamp_seconds{{{_TURNS},check="latency"}}': "1800x90",
    f'voice_verdict_streak{{{_TURNS},check="latency",verdict="SLOW"}}': "7x90",
    f'voice_verdict_streak{{{_TURNS},check="latency",verdict="FAIL"}}': "2x90",
    f"voice_last_call_latency_seconds{{{_TURNS}}}": "3x90",
    f'voice_last_call_component_seconds{{{_TURNS},component="tts"}}': "0.2x90",
    f'voice_last_call_component_seconds{{{_TURNS},component="llm"}}': "2.17x90",
    # The other scenario failed in its last run: its latency is of the call before.
    f'voice_target_latency_seconds{{{_BROKEN},instance="1"}}': "2x90",
    f"voice_last_call_latency_seconds{{{_BROKEN}}}": "1.34x90",
    f'voice_probe_last_run_failed{{{_BROKEN},probe="latency",reason="no_worker"}}': "1x90",
    'agent:voice_workers_in_service:max{server="s",agent_name="a"}': "3x90",
    'agent:voice_workers_in_service:max{server="s",agent_name="b"}': "0x90",
    'voice_dispatches_pending{server="s",agent_name="b"}': "2x90",
    f'voice_tasks_total{{{_TURNS},outcome="missed"}}': "0+3x90",
    'voice_sfu_transport_up{server="s",vantage="v",transport="turn"}': "0x90",
    'voice_sfu_transport_up{server="s",vantage="v",transport="udp"}': "1x90",
    'voice_sfu_certificate_expiry_timestamp_seconds{server="s",vantage="v"}': "1040400x90",
    'voice_store_errors_total{server="s",operation="begin"}': "0x30 4x90",
    'voice_store_errors_total{server="s",operation="end"}': "0x90",
    'ALERTS{alertname="VoiceA",alertstate="firing",severity="page",server="s"}': "1x90",
    'ALERTS{alertname="VoiceB",alertstate="firing",severity="ticket",server="s"}': "1x90",
    # Two exporters call the agent; one of them has a stricter target.
    f'voice_target_latency_seconds{{{_TURNS},instance="1"}}': "2x90",
    f'voice_target_latency_seconds{{{_TURNS},instance="2"}}': "4x90",
    'voice_slo_objective_ratio{server="s"}': "0.8x90",
    f'voice_turns_total{{{_TURNS},outcome="replied"}}': "0+10x90",
    f'voice_turns_total{{{_TURNS},outcome="failed"}}': "0+0x90",
    f'voice_turns_total{{{_TURNS},outcome="void"}}': "0+5x90",
    f"voice_turns_within_target_total{{{_TURNS}}}": "0+9x90",
    # All turns took between one second and three.
    f'voice_e2e_latency_seconds_bucket{{{_TURNS},le="1"}}': "0x90",
    f'voice_e2e_latency_seconds_bucket{{{_TURNS},le="3"}}': "0+10x90",
    f'voice_e2e_latency_seconds_bucket{{{_TURNS},le="+Inf"}}': "0+10x90",
    f"voice_e2e_latency_seconds_count{{{_TURNS}}}": "0+10x90",
    # At 3,600 s the baseline is 600 s old, the ramp has never run.
    f'voice_probe_last_run_timestamp_seconds{{{_PROBE},probe="sfu"}}': "3000x90",
    f'voice_probe_last_run_timestamp_seconds{{{_PROBE},probe="ramp"}}': "0x90",
    f'voice_probe_interval_seconds{{{_PROBE},probe="sfu"}}': "60x90",
    f'voice_probe_success{{{_PROBE},probe="sfu"}}': "0x90",
    f'voice_probe_interval_seconds{{{_PROBE},probe="ramp"}}': "60x90",
    f'voice_worker_status{{{_AGENT},worker_id="w",status="idle"}}': "0x90",
    f'voice_worker_status{{{_AGENT},worker_id="w",status="full"}}': "1x90",
    'voice_knee_clients{server="s",vantage="v"}': "40x90",
    'server:voice_call_clients:max7d{server="s"}': "12x90",
    # A process that is an exporter, and one that is not.
    'voice_exporter_build_info{server="s",job="e",instance="1",version="0"}': "1x90",
    'process_open_fds{job="e",instance="1"}': "10x90",
    'process_max_fds{job="e",instance="1"}': "100x90",
    'process_open_fds{job="other",instance="2"}': "10x90",
    'process_max_fds{job="other",instance="2"}': "100x90",
}
FIGURES = [
    ("voice-fleet: PASS A", "{}", 0),
    ("voice-fleet: SLOW A", "{}", 1),
    ("voice-fleet: Agents by call type and scenario verdict", f"{{{_TURNS}}}", 2),
    ("voice-fleet: Agents by call type and scenario since", f"{{{_TURNS}}}", 1_800_000),
    (
        "voice-fleet: Agents by call type and scenario why",
        f'{{{_BROKEN},reason="no_worker"}}',
        1,
    ),
    # Blank for the one whose last run failed.
    ("voice-fleet: Agents by call type and scenario last", f"{{{_TURNS}}}", 3),
    ("voice-fleet: Agents by call type and scenario share", f"{{{_TURNS}}}", 1.5),
    (
        "voice-fleet: Agents by call type and scenario slowest",
        f'{{{_TURNS},component="llm"}}',
        2.17,
    ),
    ("voice-fleet: Agents by call type and scenario within", f"{{{_TURNS}}}", 0.9),
    ("voice-fleet: Agents by call type and scenario waiting", f"{{{_BROKEN}}}", 2),
    ("voice-fleet: Firing alerts A", "{}", 1),
    ("voice-fleet: Firing alerts B", "{}", 0),
    ("voice-fleet: The five slowest now, as a share of the target A", f"{{{_TURNS}}}", 1.5),
    (
        "voice-fleet: Checks of the servers closed",
        '{server="s",vantage="v",check="reach",transport="turn"}',
        1,
    ),
    ("voice-agent: Runs in a row A", "{}", 2),
    ("voice-agent: Runs in a row B", "{}", 5),
    ("voice-agent: Last call of target A", '{call_type="c"}', 1.5),
    ("voice-agent: Turns within target B", '{call_type="c"}', 0.5),
    ("voice-agent: Targets of the agent late", '{call_type="c",scenario="x"}', 2.9),
    # Five minutes at three a minute: no more, and no fraction, though the window is no multiple.
    (
        "voice-agent: Dialogues by outcome A",
        '{call_type="c",scenario="x",outcome="missed"}',
        15,
    ),
    ("voice-sfu: Days until a certificate ends A", '{vantage="v"}', 12),
    ("voice-exporter: Last runs state", '{server="s",probe="sfu"}', 3),
    ("voice-exporter: Not zero count", '{server="s",what="ledger: begin"}', 4),
    ("voice-agent: Void turns A", '{call_type="c"}', 1 / 3),
    ("voice-agent: Workers status", '{worker_id="w"}', 3),
    ("voice-sfu: Headroom A", '{vantage="v"}', 28),
    ("voice-exporter: Overdue probes A", "{}", 1),
    ("voice-exporter: Last runs age", '{server="s",probe="sfu"}', 10),
    ("voice-exporter: Alert rules are loaded A", "{}", 0),
    (
        "voice-exporter: Open files and connections A",
        '{server="s",job="e",instance="1"}',
        0.1,
    ),
]


def test_figures_of_panels(prometheus_programs: None, tmp_path: Path) -> None:
    """Each query answers with one series, and with the figure that follows from its input."""
    file = tmp_path / "figures.yaml"
    file.write_text(yaml.safe_dump(_unit_test()), encoding="utf-8")
    promtool = find_program("promtool")
    assert promtool
    done = subprocess.run(
        [promtool, "test", "rules", str(file)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr


def test_figures_are_of_queries_that_exist() -> None:
    """A panel that was renamed is named here."""
    assert [where for where, _, _ in FIGURES if where not in QUERIES] == []


def _chosen(where: str) -> dict[str, str]:
    """Return the values of the variables: every agent on the fleet's board, else one."""
    return VARIABLES | ({"agent_name": ".*"} if where.startswith("voice-fleet") else {})


def _unit_test() -> dict[str, object]:
    return {
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": [
                    {"series": name, "values": values} for name, values in SERIES.items()
                ],
                "promql_expr_test": [
                    {
                        "expr": grafana.substitute(QUERIES[where], _chosen(where)),
                        "eval_time": "1h",
                        "exp_samples": [{"labels": labels, "value": figure}],
                    }
                    for where, labels, figure in FIGURES
                ],
            }
        ],
    }
