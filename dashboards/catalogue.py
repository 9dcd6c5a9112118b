"""The dashboards there are, and their files."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from dashboards import agent, exporter, fleet, sfu
from dashboards.board import build

GENERATED = Path(__file__).parent / "generated"


def documents(folder: Path = GENERATED) -> dict[Path, str]:
    """Return the text of every dashboard's file in the folder."""
    boards = tuple(make() for make in (fleet.board, agent.board, sfu.board, exporter.board))
    return {
        folder / f"{board.uid}.json": _text(
            build(board, tuple(other for other in boards if other is not board))
        )
        for board in boards
    }


def _text(dashboard: object) -> str:
    return json.dumps(dashboard, cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
