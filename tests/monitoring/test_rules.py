"""The rule files and their own tests, by Prometheus' and Alertmanager's own programs."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from exporter.settings.alerts import AlertsConfig
from tests.monitoring import rules
from tests.monitoring.rules import ALERTS, FILES, Rule
from tests.offenders import every

TESTS = sorted((ALERTS / "tests").glob("*.yaml"))
RULES = [rule for rule in rules.load() if rule.is_alert]
NAMES = sorted({rule.name for rule in RULES})
DAYS = "days"
"""The file whose tests evaluate days: each night only."""
ALWAYS_FIRES = "VoiceWatchdog"
SEVERITIES = {"page", "warning", "ticket", "none"}
PAGES = {
    "VoiceAgentCutsIn",
    "VoiceAgentFailing",
    "VoiceAgentIgnoresInterruptions",
    "VoiceAgentMissesExpectation",
    "VoiceAgentSlow",
    "VoiceAgentStopsAtBackchannels",
    "VoiceCallersAbandon",
    "VoiceCallersAlone",
    "VoiceSfuDown",
    "VoiceSloBurnFast",
}
"""Some of them where the target says so, by page_on."""
DASHBOARDS = {"voice-fleet", "voice-agent", "voice-real-calls", "voice-sfu", "voice-exporter"}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a promtool test expects of one alert at one moment."""

    alert: str
    fires: bool
    has_series: bool
    """Whether the test gives the rules anything to read."""
    group: str
    seconds: float
    summaries: tuple[str, ...]


def _program(name: str) -> str:
    """Return the path of a program; skip where the machine lacks it, but not under CI."""
    found = shutil.which(name)
    if found is None:
        why = f"not on PATH: {name}; Debian: prometheus, prometheus-alertmanager"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    return str(found)


def _expectations() -> Iterator[Expectation]:
    for file in TESTS:
        for group in rules.read(file)["tests"]:
            for case in group.get("alert_rule_test", ()):
                expected = case["exp_alerts"]
                yield Expectation(
                    case["alertname"],
                    bool(expected),
                    bool(group["input_series"]),
                    f"{file.name}: {group['name']}",
                    rules.seconds(case["eval_time"]),
                    tuple(each["exp_annotations"]["summary"] for each in expected),
                )


EXPECTED = list(_expectations())


def test_rules_are_valid() -> None:
    """Promtool reads both files, and its linter has nothing to say."""
    files = [str(ALERTS / name) for name in FILES]
    done = _run(_program("promtool"), "check", "rules", "--lint=all", "--lint-fatal", *files)
    assert done.returncode == 0, done.stdout + done.stderr


def test_alerts_fire_and_are_resolved(tmp_path: Path) -> None:
    """Each promtool test of each file holds; promtool names those that do not.

    Each is alone with the rules that it asks for: with all of them it takes several times as long.
    """
    files = [
        part for file in TESTS if file.stem != DAYS for part in rules.write_apart(tmp_path, file)
    ]
    done = _run(_program("promtool"), "test", "rules", *files)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("SUCCESS") == len(files)


def test_a_test_alone_has_every_rule_that_it_reads(tmp_path: Path) -> None:
    """Else what is not to fire could not, for want of the alert or of what it is made from."""
    known = {rule.name for rule in rules.load()}
    for part in (part for file in TESTS for part in rules.write_apart(tmp_path, file)):
        content = rules.read(Path(part))
        kept = [rule for file in content["rule_files"] for rule in rules.rules_in(Path(file))]
        read = [name for rule in kept for name in re.findall(r"[\w:]+", rule.expression)]
        read += [
            case["alertname"]
            for test in content["tests"]
            for case in test.get("alert_rule_test", ())
        ]
        assert {rule.name for rule in kept} >= known & set(read), part


@pytest.mark.long
@pytest.mark.parametrize("file", TESTS, ids=lambda file: file.stem)
def test_alerts_fire_and_are_resolved_among_all_rules(file: Path) -> None:
    """The files hold as they stand, as a person runs them; those of days take the longest."""
    done = _run(_program("promtool"), "test", "rules", str(file))
    assert done.returncode == 0, done.stdout + done.stderr


def test_alertmanager_example_is_valid() -> None:
    """Alertmanager reads it, and no secret stands in it."""
    file = ALERTS / "alertmanager.yaml"
    done = _run(_program("amtool"), "check-config", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    secret = re.compile(
        r"^[\s-]*(\w*(?:key|secret|password|token|credentials|api_url)):", re.MULTILINE
    )
    assert secret.findall(file.read_text("utf-8")) == []


def test_alertmanager_example_knows_every_alert_and_severity() -> None:
    """Each severity has a route of its own; inhibitions name alerts that there are."""
    content = yaml.safe_load((ALERTS / "alertmanager.yaml").read_text("utf-8"))
    routed = {each["matchers"][0] for each in content["route"]["routes"]}
    assert routed == {f'severity="{severity}"' for severity in SEVERITIES}
    named = re.findall(r"Voice[A-Z]\w+", str(content["inhibit_rules"]))
    assert set(named) <= set(NAMES)


@every(NAMES)
def test_every_alert_is_tested(name: str) -> None:
    """It fires, does not fire beside something that does, is resolved, and survives no series."""
    mine = [each for each in EXPECTED if each.alert == name]
    fired = [each for each in mine if each.fires]
    assert fired
    if name == ALWAYS_FIRES:
        return
    assert any(not each.fires and each.has_series for each in mine)
    assert any(not each.fires and not each.has_series for each in mine)
    assert any(
        not after.fires and after.group == before.group and after.seconds > before.seconds
        for before in fired
        for after in mine
    ), "no test in which it is resolved"


@every(RULES, lambda rule: f"{rule.name}-{dict(rule.labels).get('scope', 'all')}")
def test_an_alert_tells_what_is_needed(rule: Rule) -> None:
    """How bad it is, of whom it is, what it means, what to do, and where to look."""
    labels, notes = dict(rule.labels), dict(rule.annotations)
    severities = set(re.findall(r"[{]{2} (?:if|else).*?}}(\w+)", labels["severity"]))
    severities = severities or {labels["severity"]}
    assert severities <= set(SEVERITIES)
    assert ("page" in severities) == (rule.name in PAGES)
    of_calls = {"call_url"} & notes.keys()
    assert notes.keys() == {"summary", "description", "runbook_url", "dashboard_url", *of_calls}
    for label in ("agent_name", "call_type", "scenario") if of_calls else ():
        assert f"{label}={{{{ $labels.{label} | urlquery }}}}" in notes["call_url"]
    assert notes["runbook_url"].endswith(f"/{rule.name}.md")
    assert "$externalLabels.runbooks" in notes["runbook_url"]
    assert "$externalLabels.grafana" in notes["dashboard_url"]
    assert re.findall(r"/d/([\w-]+)", notes["dashboard_url"])[0] in DASHBOARDS
    if rule.name != ALWAYS_FIRES:
        assert re.search(r"\$labels\.(agent_name|vantage|server|instance)", notes["summary"])


def test_summaries_have_their_figure() -> None:
    """What people read has no template left over, and a number with its unit."""
    texts = [text for each in EXPECTED if each.alert != ALWAYS_FIRES for text in each.summaries]
    assert texts
    assert [text for text in texts if "{" in text or "<no value>" in text] == []
    without = {text for text in texts if not re.search(r"\d", text.replace("a:9465", ""))}
    assert without == {
        "The exporter a:9465 has never been scraped",
        "No exporter of its group runs latency of demo on lk",
        *(
            f"Callers of agent {agent} on lk get tokens with rights that no caller should have: "
            f"{rights} (sales, scenario default)"
            for agent, rights in (("demo", "long_lived room_admin"), ("gone", "no_room"))
        ),
    }


def test_thresholds_are_asked_for_by_those_that_they_are_named_after() -> None:
    """No alert asks for a threshold that is not exported, and none is exported for nothing."""
    asked = re.findall(r'voice_alert_threshold\{alert="(\w+)"\}', str(RULES))
    assert set(asked) == set(AlertsConfig().by_alert)
    assert set(asked) <= set(NAMES)


def _run(*argv: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300)
