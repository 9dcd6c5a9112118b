"""The exporter itself: whether what the other dashboards show is fresh and can be believed."""

from dashboards.board import EXPORTER, Board, Section
from dashboards.exporter import freshness, health, now, pool, process, runs, spending
from dashboards.variables import SERVER


def board() -> Board:
    """Return the dashboard."""
    return Board(
        uid=EXPORTER,
        title="Voice / Exporter",
        text="The exporter itself: freshness, skips, event loop, configuration, process",
        variables=(SERVER,),
        alerts='server=~"$server|", '
        'alertname=~"VoiceProbe.*|VoicePool.*|VoiceExporter.*|VoiceConfig.*|VoiceStore.*|VoiceBudget.*|'
        'VoiceTooManyVoids|VoiceListingOld|VoiceTargetUnleased"',
        sections=(
            Section(100, "Now", now.panels()),
            Section(110, "Freshness", freshness.panels()),
            Section(140, "Should be zero", health.panels()),
            Section(160, "Probe processes", pool.panels()),
            Section(120, "Runs", runs.panels()),
            Section(130, "Calls: budget spent", spending.panels(), is_folded=True),
            Section(150, "Process", process.panels(), is_folded=True),
        ),
    )
