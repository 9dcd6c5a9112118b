"""The pictures of docs/, drawn from figures that were measured.

`python -m bench.pictures` draws docs/pictures/*.svg from the .json files beside them, which say
when and by which command their figures were measured.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.pictures import accuracy, one_barge_in, one_call

FOLDER = Path(__file__).parents[2] / "docs" / "pictures"
PICTURES: Mapping[str, Callable[[dict[str, Any]], str]] = {
    "one-call": one_call.draw,
    "one-barge-in": one_barge_in.draw,
    "accuracy": accuracy.draw,
}
"""By the name of the picture, which is also that of its figures."""


def drawn(name: str) -> str:
    """Return the SVG of a picture, from the figures that are kept."""
    figures = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return PICTURES[name](figures)
