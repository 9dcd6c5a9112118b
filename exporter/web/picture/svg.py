"""The elements of an SVG, the time axis they stand on, and lanes, which stand one below another."""

from dataclasses import dataclass, field
from html import escape

LEFT = 12.0
"""Where the call begins, in pixels; the same is left free after its end."""
_PX_PER_S = 80.0
"""A turn of five seconds is as wide as a phone, and two of them as half a desk's screen."""
_MOST_PX_PER_S = 240.0
_FILLED_PX = 900.0
"""A short call is stretched to so much."""
LABEL_PX = 14.0
"""Above each lane, for its label."""
_LABEL_EVERY_PX = 400.0
"""However far one has scrolled, one label of each lane is in view."""
CHARACTER_PX = 6.2
"""Width of a character of the small texts, roughly: what is placed by it never overlaps."""


def number(value: float) -> str:
    """Write a coordinate: a hundredth of a pixel is 0.1 ms."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def element(tag: str, *children: str, **attributes: str | float) -> str:
    """Return an element.

    Args:
        tag: Its name.
        children: Elements and escaped text.
        attributes: `class_` is written class, `text_anchor` text-anchor.
    """
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="'
        f'{escape(value) if isinstance(value, str) else number(value)}"'
        for name, value in attributes.items()
    )
    inner = "".join(children)
    return f"<{tag}{written}>{inner}</{tag}>" if inner else f"<{tag}{written}/>"


def words(x: float, y: float, content: str, class_: str = "", anchor: str = "start") -> str:
    """Return one line of text; `y` is where it stands on."""
    return element("text", escape(content), x=x, y=y, class_=class_, text_anchor=anchor)


def box(
    x: float, y: float, width: float, height: float, class_: str, *, tip: str = "", fill: str = ""
) -> str:
    """Return a rectangle, with what is shown while the mouse is on it."""
    inner = element("title", escape(tip)) if tip else ""
    colour = {"fill": fill} if fill else {}
    return element(
        "rect", inner, x=x, y=y, width=max(width, 1.0), height=height, class_=class_, **colour
    )


def upright(x: float, top: float, bottom: float, class_: str) -> str:
    """Return a vertical line."""
    return element("line", x1=x, y1=top, x2=x, y2=bottom, class_=class_)


@dataclass(frozen=True, slots=True)
class Axis:
    """Where a moment of the call lies."""

    length_s: float

    @property
    def px_per_s(self) -> float:
        """Pixels of one second."""
        return min(_MOST_PX_PER_S, max(_PX_PER_S, _FILLED_PX / max(self.length_s, 1.0)))

    @property
    def width(self) -> float:
        """Pixels of the whole picture."""
        return 2 * LEFT + max(self.length_s, 1.0) * self.px_per_s

    def x(self, at_s: float) -> float:
        """Return where a moment lies, in pixels from the left."""
        return LEFT + at_s * self.px_per_s

    def within(self, at_s: float) -> float:
        """Return the same, and the nearest end for what lies outside of the call."""
        return self.x(min(max(at_s, 0.0), self.length_s))

    def drawn(self, height: float) -> str:
        """Return the axis with a tick each second, below lanes of this height."""
        parts = [element("path", d=f"M{LEFT} {number(height)}H{number(self.x(self.length_s))}",
                         class_="rule")]  # fmt: skip
        for second in range(int(self.length_s) + 1):
            x = self.x(second)
            parts.append(upright(x, height, height + 5, "tick"))
            parts.append(words(x, height + 18, f"{second} s", "faint", "middle"))
        return "".join(parts)


@dataclass(frozen=True, slots=True)
class Lane:
    """A strip of the picture with one kind of thing in it."""

    label: str
    height: float
    """Below its label."""
    parts: tuple[str, ...]
    """Drawn from y = 0 down."""

    def drawn(self, top: float, width: float) -> str:
        """Return it at its place, with its label again and again."""
        labels = (
            words(LEFT + place * _LABEL_EVERY_PX, -4, self.label, "faint")
            for place in range(int((width - LEFT) // _LABEL_EVERY_PX) + 1)
        )
        moved = f"translate(0 {number(top + LABEL_PX)})"
        return element("g", *labels, *self.parts, transform=moved)


@dataclass(slots=True)
class Rows:
    """Finds for each text the first row in which it covers no other."""

    ends: list[float] = field(default_factory=list)

    def place(self, left: float, width: float) -> int:
        """Take a place; what comes from left to right needs the fewest rows."""
        for row, end in enumerate(self.ends):
            if end <= left:
                self.ends[row] = left + width
                return row
        self.ends.append(left + width)
        return len(self.ends) - 1
