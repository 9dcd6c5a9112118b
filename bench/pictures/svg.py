"""A picture of lines, boxes and words, as SVG.

Every picture stands on a light card of its own, so that it reads the same on a light page and on a
dark one.
"""

from dataclasses import dataclass, field
from html import escape
from typing import Literal

WIDTH = 800
INK, FAINT, RULE = "#1b1f24", "#57606a", "#d0d7de"
_MARGIN = 0.5
"""Half of the card's border, so that it is drawn sharply."""

Anchor = Literal["start", "middle", "end"]


@dataclass(slots=True)
class Picture:
    """What is drawn so far; coordinates are pixels from the upper left corner."""

    title: str
    """For who cannot see it."""
    height: int
    parts: list[str] = field(default_factory=list)

    def box(self, x: float, y: float, width: float, height: float, fill: str) -> None:
        """Draw a filled rectangle."""
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{fill}"/>'
        )

    def line(
        self, start: tuple[float, float], end: tuple[float, float], color: str = RULE,
        *, width: float = 1, dashed: bool = False,
    ) -> None:  # fmt: skip
        """Draw a straight line."""
        dashes = ' stroke-dasharray="4 4"' if dashed else ""
        self.parts.append(
            f'<line x1="{start[0]:.1f}" y1="{start[1]:.1f}" x2="{end[0]:.1f}" y2="{end[1]:.1f}" '
            f'stroke="{color}" stroke-width="{width:g}"{dashes}/>'
        )

    def dot(self, x: float, y: float, color: str, radius: float = 5) -> None:
        """Draw a filled circle."""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:g}" fill="{color}"/>')

    def text(
        self, x: float, y: float, words: str, *, color: str = INK, anchor: Anchor = "start",
        size: int = 14, bold: bool = False,
    ) -> None:  # fmt: skip
        """Write one line; `y` is where it stands on."""
        weight = ' font-weight="600"' if bold else ""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{color}" font-size="{size}" '
            f'text-anchor="{anchor}"{weight}>{escape(words)}</text>'
        )

    def document(self) -> str:
        """Return the SVG."""
        card = (
            f'<rect x="{_MARGIN}" y="{_MARGIN}" width="{WIDTH - 2 * _MARGIN:g}" '
            f'height="{self.height - 2 * _MARGIN:g}" rx="8" fill="#ffffff" stroke="{RULE}"/>'
        )
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {self.height}" '
            f'width="{WIDTH}" height="{self.height}" role="img" '
            'font-family="system-ui, -apple-system, Segoe UI, DejaVu Sans, sans-serif">'
        )
        lines = (
            head,
            f"<title>{escape(self.title)}</title>",
            card,
            *self.parts,
            "</svg>",
        )
        return "\n".join(lines) + "\n"
