"""Which check of which server does not pass, and what is out of bounds."""

from grafana_foundation_sdk.models.dashboard import Panel
from grafana_foundation_sdk.models.prometheus import Dataquery
from grafana_foundation_sdk.models.units import DateTimeFromNow, PercentUnit

from dashboards import colors
from dashboards.fleet.series import OPEN_SFU, SERVERS
from dashboards.panels import Card
from dashboards.queries import column, seen
from dashboards.tables import Field, share, table
from dashboards.values import SHARE_OF_LIMIT, VERDICTS, painted

_BY = "server, vantage, check"
_CHECKS = 'check=~"sfu|reach|reconnect|ramp|agents"'


def panels() -> tuple[Panel, ...]:
    """Return the panel of the row."""
    return (checks(161, SERVERS, OPEN_SFU),)


def checks(id_: int, servers: str, url: str) -> Panel:
    """Return the table of checks that do not pass.

    Args:
        id_: Of the panel.
        servers: Matchers.
        url: Where a click on a check leads to, "" for nowhere.
    """
    card = Card(
        id_,
        "Checks of the servers",
        "Checks of the SFU and of its server API, worst first, with the cause: the failure reason "
        "of the last run, a way to the SFU that is closed, or what the last baseline measured as a "
        "share of its limit. From voice_verdict, voice_probe_last_run_failed, "
        "voice_sfu_transport_up, voice_sfu_rtt_ms, voice_sfu_packet_loss_ratio and "
        "voice_sfu_jitter_seconds. Bad: SLOW and FAIL: they slow down every agent. A closed turn "
        "alone excludes callers behind strict firewalls.",
        empty="Not measured",
        width=24,
        height=7,
    )
    return table(card, _columns(servers), _fields(url), worst="Verdict")


def _columns(servers: str) -> list[Dataquery]:
    unknown, slow, fail = (
        f'voice_verdict{{{servers}, {_CHECKS}, verdict="{word}"}}'
        for word in ("UNKNOWN", "SLOW", "FAIL")
    )
    since = f"voice_verdict_since_timestamp_seconds{{{servers}, {_CHECKS}}}"
    failed = f'voice_probe_last_run_failed{{{servers}, agent_name=""}}'
    why = seen("server, vantage, check, reason", _as_check("$1", failed, "probe"))
    closed = _as_check("reach", f"(1 - voice_sfu_transport_up{{{servers}}}) > 0", "__name__")
    return [
        column("verdict", f"max by ({_BY}) ({unknown} or 2 * {slow} or 3 * {fail})"),
        column("since", f"1000 * {seen(_BY, since)}"),
        column("why", f"topk by ({_BY}) (1, {why})"),
        column("closed", f"topk by ({_BY}) (1, {seen(f'{_BY}, transport', closed)})"),
        column("rtt", _of_limit(servers, "voice_sfu_rtt_ms", "voice_sfu_target_rtt_ms")),
        column(
            "loss",
            _of_limit(servers, "voice_sfu_packet_loss_ratio", "voice_sfu_target_packet_loss_ratio"),
        ),
        column(
            "jitter",
            _of_limit(servers, "voice_sfu_jitter_seconds", "voice_sfu_target_jitter_seconds"),
        ),
    ]


def _of_limit(servers: str, measured: str, limit: str) -> str:
    least = f"min by (server, vantage) ({limit}{{{servers}}})"
    share = f"max by (server, vantage) ({measured}{{{servers}}}) / {least}"
    return seen(_BY, _as_check("sfu", share, "__name__"))


def _as_check(check: str, values: str, label: str) -> str:
    return f'label_replace({values}, "check", "{check}", "{label}", "(.*)")'


def _fields(url: str) -> list[Field]:
    return [
        Field("Check", "check", url=url, width=110, grows=True),
        Field("Vantage", "vantage", width=110),
        Field("Server", "server", width=110),
        Field("Verdict", "verdict", words=VERDICTS, width=90),
        Field("Since", "since", DateTimeFromNow, width=130),
        Field("Reason", "reason", words=painted(colors.REASONS), width=140),
        Field("Closed way", "transport", width=100),
        Field(
            "Round trip of limit",
            "rtt",
            PercentUnit,
            SHARE_OF_LIMIT,
            decimals=0,
            is_bar=True,
            width=140,
        ),
        share("Loss of limit", "loss", width=110),
        share("Jitter of limit", "jitter", width=110),
    ]
