"""What an expression asks for: its selectors and the labels that it groups by.

Whether it is an expression at all is for Prometheus to say. This reads one that is.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""(?P<blank>\s+|\#[^\n]*)
    |(?P<string>"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`[^`]*`)
    |(?P<number>(?:\d|\.\d)[\w.]*)
    |(?P<word>[A-Za-z_:][\w:]*)
    |(?P<mark>=~|!~|!=|==|<=|>=|.)""",
    re.VERBOSE | re.DOTALL,
)
_GROUPING = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_OPERATORS = frozenset({"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan"})


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label."""

    label: str
    operator: str
    value: str
    """As it is written, with its quotes."""


@dataclass(frozen=True, slots=True)
class Selector:
    """What is asked for by name and labels."""

    name: str
    matchers: tuple[Matcher, ...] = ()
    function: str = ""
    """The function whose argument it is at once, "" for none."""

    def __str__(self) -> str:
        inside = ",".join(f"{each.label}{each.operator}{each.value}" for each in self.matchers)
        return f"{self.name}{{{inside}}}" if inside else self.name


@dataclass(frozen=True, slots=True)
class Parts:
    """What was found in one expression."""

    selectors: tuple[Selector, ...]
    grouping: frozenset[str]
    """Labels in by, without, on, ignoring, group_left and group_right."""
    made: frozenset[str]
    """Labels that label_replace and label_join may add: every string outside of selectors."""


def read(expression: str) -> Parts:
    """Return the parts of an expression."""
    reader = _Reader(list(_tokens(expression)))
    reader.read()
    return Parts(tuple(reader.selectors), frozenset(reader.grouping), frozenset(reader.made))


def _tokens(expression: str) -> Iterator[tuple[str, str]]:
    for match in _TOKEN.finditer(expression):
        if match.lastgroup != "blank":
            yield match.lastgroup or "", match[0]
    yield "end", ""


class _Reader:
    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens = tokens
        self._place = 0
        self._calls: list[str] = []  # the function of each parenthesis that is open
        self.selectors: list[Selector] = []
        self.grouping: set[str] = set()
        self.made: set[str] = set()

    def read(self) -> None:
        while self._tokens[self._place][0] != "end":
            kind, text = self._take()
            if kind == "word":
                self._word(text)
            elif kind == "string":
                self.made.add(text[1:-1])
            elif text == "{":
                self._selector("")
            elif text == "[":
                self._until("]")  # a span of time
            elif text == "(":
                self._calls.append("")
            elif text == ")":
                self._calls.pop()

    def _word(self, word: str) -> None:
        if word.lower() in _GROUPING:
            if self._next == "(":
                self._take()
                self.grouping |= set(self._until(")"))
        elif word.lower() in _OPERATORS:
            return
        elif self._next == "(":
            self._take()
            self._calls.append(word)
        elif self._next not in {"by", "without"}:  # else it is an aggregation
            if self._next == "{":
                self._take()
                self._selector(word)
            else:
                self._add(Selector(word))

    def _selector(self, name: str) -> None:
        """Read what stands between braces; the opening one is taken."""
        parts = self._until("}")
        matchers = [Matcher(*parts[at : at + 3]) for at in range(0, len(parts), 3)]
        self._add(Selector(name, tuple(matchers)))

    def _add(self, selector: Selector) -> None:
        function = self._calls[-1] if self._calls else ""
        self.selectors.append(Selector(selector.name, selector.matchers, function))

    def _until(self, end: str) -> list[str]:
        """Return the tokens up to the end, which is taken, without commas."""
        found: list[str] = []
        while (text := self._take()[1]) != end:
            if text != ",":
                found.append(text)
        return found

    @property
    def _next(self) -> str:
        return self._tokens[self._place][1]

    def _take(self) -> tuple[str, str]:
        self._place += 1
        return self._tokens[self._place - 1]
