"""The dashboards there are, and their files."""

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import Dashboard

from dashboards import agent, exporter, fleet, real_calls, sfu
from dashboards.board import build

GENERATED = Path(__file__).parent / "generated"


def documents(folder: Path = GENERATED) -> dict[Path, str]:
    """Return the text of every dashboard's file in the folder."""
    boards = tuple(
        make() for make in (fleet.board, agent.board, real_calls.board, sfu.board, exporter.board)
    )
    return {
        folder / f"{board.uid}.json": _text(
            build(board, tuple(other for other in boards if other is not board))
        )
        for board in boards
    }


def in_sight(part: dict[str, object]) -> dict[str, object]:
    """Return a part of a document that is not in the menu.

    The SDK puts every link and annotation into a menu that is folded away, and has no other value.
    """
    menu = ("placement", "inControlsMenu")
    return {key: value for key, value in part.items() if (key, value) != menu}


def _text(dashboard: Dashboard) -> str:
    document = json.loads(JSONEncoder().encode(dashboard), object_hook=in_sight)
    return json.dumps(document, indent=2, sort_keys=True) + "\n"
