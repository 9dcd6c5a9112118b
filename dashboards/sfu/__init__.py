"""The way to the SFU, and how much it carries."""

from dashboards.board import SFU, Board, Section
from dashboards.sfu import capacity, certificates, loss, now, reconnects, round_trip, transports
from dashboards.variables import ONE_SERVER, VANTAGES


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=SFU,
        title="Voice / SFU",
        text="The network path to the SFU: round trip, jitter, loss, transports, reconnects, "
        "capacity",
        variables=(ONE_SERVER, VANTAGES),
        alerts='server=~"$server|", vantage=~"$vantage|", alertname=~"VoiceSfu.*|VoiceKnee.*"',
        sections=(
            Section(100, "Now", now.panels()),
            Section(110, "Round trip", round_trip.panels()),
            Section(120, "Jitter and loss", loss.panels()),
            Section(130, "Transports and connecting", transports.panels()),
            Section(170, "Certificates and clocks", certificates.panels()),
            Section(140, "Reconnects", reconnects.panels(), is_folded=True),
            Section(150, "Capacity", capacity.panels(), is_folded=True),
            Section(
                160,
                "Ramp curve from $vantage",
                capacity.ramp_panels(),
                repeat="vantage",
                is_folded=True,
            ),
        ),
    )
